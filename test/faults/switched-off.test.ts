import { deepEqual, equal, ok } from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { filesOfManifest } from "../manifest-files.ts"
import { startGateway } from "../processes.ts"

describe("a plugin that is switched off", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ config: { plugins: { chat: { enabled: false } } } })
  })
  after(() => gateway.close())

  it("has no routes", async () => {
    const client = await gateway.as("admin")
    equal((await client.post("/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] })).status, 404)
    equal((await client.get("/v1/models")).status, 404)
  })

  it("has no methods", async () => {
    const rpc = await gateway.as("admin").rpc()
    const frame = await rpc.request("chat.send", { message: "hi" })
    const nobody = await rpc.request("no.such.method")
    equal(frame.error?.code, "INVALID_REQUEST")
    equal(frame.error?.message, nobody.error?.message.replace("no.such.method", "chat.send"))
  })

  it("is absent from the OpenAPI document", async () => {
    const { body } = await gateway.as("viewer").get("/v1/openapi.json")
    ok(body.paths["/v1/agents"])
    equal(body.paths["/v1/chat/completions"], undefined)
    equal(JSON.stringify(body).includes("chat.completion"), false)
  })

  it("leaves the others at work", async () => {
    equal((await gateway.as("viewer").get("/v1/agents")).status, 200)
    equal((await fetch(`${gateway.url}/health`)).status, 200)
  })

  it("is not imported, and neither is an SDK that nobody asked for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plugboard-off-"))
    const imports = join(folder, "imports.txt")
    const config = join(folder, "plugboard.config.json")
    writeFileSync(config, JSON.stringify({ plugins: { chat: { enabled: false }, "provider-gemini": { enabled: false } } }))
    const started = await startGateway({
      PLUGBOARD_PORT: "0",
      PLUGBOARD_DATA_DIR: join(folder, "data"),
      PLUGBOARD_CONFIG: config,
      RECORD_IMPORTS: imports,
      NODE_OPTIONS: `--import=${new URL("./record-imports.ts", import.meta.url).href}`,
    })
    await started.stop()
    const loaded = readFileSync(imports, "utf8").split("\n")
    rmSync(folder, { recursive: true })
    ok(loaded.some((url) => url.endsWith("/plugins/agents/index.ts")))
    ok(loaded.some((url) => url.endsWith("/plugins/chat/manifest.ts")))
    ok(loaded.some((url) => url.endsWith("/plugins/provider-anthropic/index.ts")))
    for (const plugin of ["chat", "provider-gemini"]) {
      // The manifest is made of schemas, some of which stand in files beside it; a house test keeps those as cheap as it is.
      const manifest = new Set(filesOfManifest(plugin))
      deepEqual(
        loaded.filter((url) => url.includes(`/plugins/${plugin}/`) && !manifest.has(url.slice(url.indexOf(`plugins/${plugin}/`)))),
        [],
      )
    }
    deepEqual(
      loaded.filter((url) => /\/node_modules\/(openai|@anthropic-ai|@google)\//.test(url)),
      [],
    )
  }).timeout(30_000)
})
