import { deepEqual, equal, match, ok } from "node:assert/strict"
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { getPriority, tmpdir } from "node:os"
import { join } from "node:path"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Chats, keepChatting } from "./chats.ts"

// What a plugin can reach past its host: nothing. Each attack is tried by its process; chats go on meanwhile.
const mallory = join(import.meta.dirname, "plugins", "mallory")

describe("a hostile plugin, past its host", () => {
  let gateway: TestGateway
  let client: TestClient
  let chats: Chats
  let server: Server
  let reached = 0
  const priority = getPriority(process.pid)
  const outside = mkdtempSync(join(tmpdir(), "plugboard-hostile-"))
  const loot = join(outside, "loot.json")

  before(async () => {
    // Whoever it runs as could write here, were it not for its borders.
    chmodSync(outside, 0o777)
    writeFileSync(loot, '{ "secret": 1 }')
    server = createServer((_, response) => void response.end(String(++reached))).listen(0, "127.0.0.1")
    gateway = await testGateway({ sandboxed: [mallory] })
    client = await gateway.as("viewer")
    chats = keepChatting(gateway)
  })
  after(async () => {
    await chats.end().finally(() => gateway.close())
    server.close()
    rmSync(outside, { recursive: true, force: true })
  })

  async function attack(name: string, given?: unknown) {
    const { status, body } = await client.post("/v1/x/mallory/attack", { name, given })
    equal(status, 200, JSON.stringify(body))
    return body as { got?: unknown; refused?: string; code?: string }
  }
  const inside = (name: string) => join(outside, name)
  const port = () => (server.address() as AddressInfo).port
  const data = (name: string) => join((gateway.storage as { dataDir: string }).dataDir, name)

  const denied = /ERR_ACCESS_DENIED|has been restricted|Permission Model|is closed to plugins|is not a function|No such built-in|not permitted|EPERM|EACCES|of undefined/
  const tries: [name: string, given?: () => unknown][] = [
    ["read a file", () => "/etc/passwd"],
    ["read a file", () => data("encryption.key")],
    ["read a file", () => data("node.id")],
    ["read a file", () => `/proc/${process.pid}/environ`],
    ["read a file", () => loot],
    ["list a folder", () => data("")],
    ["list a folder", () => "/"],
    ["look whether a file is there", () => "/etc/shadow"],
    ["read the environment of its parent"],
    ["read its own open files"],
    ["load a file as environment", () => "/etc/passwd"],
    ["require a file", () => loot],
    ["import a file", () => loot],
    ["go up by a path"],
    ["link out of its folder"],
    ["write into its folder"],
    ["write elsewhere", () => inside("a")],
    ["write by SQLite", () => inside("b")],
    ["attach a file by SQLite", () => inside("c")],
    ["write its heap", () => inside("d")],
    ["write its heap when it is full"],
    ["write a report", () => inside("e")],
    ["write a trace"],
    ["write by V8's flags", () => outside],
    ["profile itself into a file"],
    ["write a compile cache", () => inside("f")],
    ["connect by TCP", port],
    ["listen by TCP"],
    ["connect to a Unix socket"],
    ["listen on a Unix socket"],
    ["connect by TLS", port],
    ["ask by HTTP", port],
    ["fetch", port],
    ["open a WebSocket", port],
    ["send by UDP", port],
    ["look up a name"],
    ["carry loot out in a name"],
    ["run a program"],
    ["fork itself"],
    ["fork a cluster"],
    ["start a thread"],
    ["start a thread by a loader"],
    ["replace itself"],
    ["end the gateway", () => process.pid],
    ["end its parent"],
    ["end its group"],
    ["end everything"],
    ["end by the function below", () => process.pid],
    ["open the gateway's inspector", () => process.pid],
    ["open the gateway's inspector by the function below", () => process.pid],
    ["slow the gateway down", () => process.pid],
    ["open its own inspector"],
    ["inspect itself"],
    ["load an addon"],
    ["require an addon"],
    ["reach a binding"],
    ["reach a linked binding"],
    ["reach an internal module"],
    ["reach a binding by a handle"],
    ["run WASI"],
    ["call C"],
    ["become root"],
  ]
  for (const [name, given] of tries) {
    it(`cannot ${name}${given ? ` (${String(given).replace("() => ", "")})` : ""}`, async () => {
      const { got, refused = "", code = "" } = await attack(name, given?.())
      equal(got, undefined)
      if (!["open a WebSocket", "reach an internal module", "require an addon"].includes(name)) match(`${refused} ${code}`, denied)
    })
  }

  it("finds nothing in its environment but where programs lie", async () => {
    const { got } = await attack("read its environment")
    deepEqual(
      (got as string[]).filter((name) => name !== "PATH"),
      [],
    )
  })

  it("has left nothing behind, and reached nobody", () => {
    deepEqual(readdirSync(outside), ["loot.json"])
    deepEqual(readdirSync(mallory).sort(), ["answers.ts", "attacks", "attempt.ts", "index.ts", "manifest.ts", "migrations", "package.json"])
    equal(reached, 0)
    equal(getPriority(process.pid), priority)
    ok(gateway.logs.every((line) => !line.includes("secret")))
  })
})
