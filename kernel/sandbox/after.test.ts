import { deepEqual } from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

const index = `import { defineManifest, definePlugin } from "@plugboard/sdk"
const manifest = defineManifest({
  id: "later", version: "1.0.0", sdk: "^1.0.0",
  rpc: { "later.go": { role: "operator", summary: "Work behind the answer", result: { type: "object" } } },
  events: { "later.done": { payload: { type: "object" }, to: "operators" } },
})
export default definePlugin(manifest, (host) => ({
  rpc: {
    async "later.go"(_, { caller, after }) {
      after(async () => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        host.events.publish(caller, "later.done", { by: caller.userId })
      })
      return { answered: true }
    },
  },
}))`

describe("work behind a sandboxed method's answer", () => {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-later-"))
  let gateway: TestGateway
  before(async () => {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    writeFileSync(join(folder, "index.js"), index)
    gateway = await testGateway({ bundled: false, sandboxed: [folder] })
  })
  after(async () => {
    await gateway?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it("acts for the caller of the call", async () => {
    const socket = await (await gateway.as("operator", "acme", "olga")).rpc()
    deepEqual(await socket.call("later.go"), { answered: true })
    deepEqual((await socket.next("later.done")).payload, { by: "olga" })
  })
})
