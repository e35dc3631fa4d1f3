import { deepEqual, equal, match, ok } from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { packageOf } from "../../kernel/packages/scratch.ts"
import { freePort, plugboard, type Ran } from "./command.ts"

/** The command that a text names as the way out. */
const wayOut = (text: string) => (/plugboard (plugins .+)$/m.exec(text)?.[1] ?? "").trim().split(" ")

describe("plugboard plugins, with a gateway", function online() {
  this.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), "plugboard-command-"))
  let gateway: TestGateway
  let run: (...args: string[]) => Promise<Ran>
  before(async () => {
    gateway = await testGateway()
    run = (...args) => plugboard(args, { PLUGBOARD_PORT: new URL(gateway.url).port, PLUGBOARD_TOKEN: gateway.token }, folder)
  })
  after(async () => {
    await gateway.close()
    rmSync(folder, { recursive: true })
  })

  const versionOf = async (id: string) => {
    const { status, body } = await gateway.as("viewer").get(`/v1/x/${id}/version`)
    return status === 200 ? body.version : status
  }
  const file = (id: string, version: string, options: Parameters<typeof packageOf>[2] = {}) => {
    const path = join(folder, `${id}-${version}.tgz`)
    writeFileSync(path, packageOf(id, version, options))
    return path
  }

  it("lists what runs, and makes no data folder where it is called", async () => {
    const { code, out } = await run("plugins", "list")
    equal(code, 0)
    match(out, /^PLUGIN +VERSION +STATE +FROM$/m)
    match(out, /^chat +1\.0\.0 +active +the gateway$/m)
    equal(existsSync(join(folder, "data")), false)
  })

  it("adds a package that waits, names the command that agrees, and that command does", async () => {
    const added = await run("plugins", "add", file("greet", "1.0.0", { manifest: { capabilities: { net: ["api.example.com"] } } }))
    equal(added.code, 0)
    match(added.out, /greet 1\.0\.0 is waiting/)
    match(added.out, /It may call these hosts: api\.example\.com\./)
    equal(await versionOf("greet"), 404)
    const granted = await run(...wayOut(added.out))
    deepEqual([granted.code, await versionOf("greet")], [0, "1.0.0"])
    match(granted.out, /Agreed to this:\n {2}It may call these hosts: api\.example\.com\.\ngreet 1\.0\.0 is active/)
  })

  it("upgrades, shows what waits, agrees at once where it is told to, and goes back", async () => {
    const waits = await run("plugins", "add", file("greet", "2.0.0", { manifest: { capabilities: { net: ["*"] } } }))
    match(waits.out, /2\.0\.0 does not run: it asks for more than was agreed to\./)
    match((await run("plugins", "list")).out, /greet +1\.0\.0 +active +a package\n {2}2\.0\.0 does not run/)
    match((await run("plugins", "inspect", "greet")).out, /2\.0\.0 asks besides:\n {2}It may call any public host\./)
    await run("plugins", "add", file("greet", "3.0.0", { manifest: { capabilities: { net: ["*"] } } }), "--grant")
    equal(await versionOf("greet"), "3.0.0")
    const back = await run("plugins", "rollback", "greet", "--json")
    deepEqual([JSON.parse(back.out).version, await versionOf("greet")], ["1.0.0", "1.0.0"])
  })

  it("switches a plugin off, says how to switch it on, and that works; for one tenant, too", async () => {
    await run("plugins", "disable", "greet")
    equal(await versionOf("greet"), 404)
    const shown = await run("plugins", "inspect", "greet")
    await run(...wayOut(shown.out))
    equal(await versionOf("greet"), "1.0.0")
    await gateway.tenant("acme")
    equal((await run("plugins", "disable", "greet", "--tenant", "acme")).code, 0)
    deepEqual([(await gateway.as("viewer", "acme").get("/v1/x/greet/version")).status, await versionOf("greet")], [404, "1.0.0"])
  })

  it("says what is refused and how to go on, with exit code 1", async () => {
    writeFileSync(join(folder, "bad.tgz"), "hello")
    const refusals: [args: string[], words: RegExp][] = [
      [["add", join(folder, "bad.tgz")], /not a gzipped tarball.*plugboard plugins pack FOLDER/],
      [["add", "./absent"], /there is no file or folder \.\/absent/],
      [["add", "--", "-g"], /npm has no such names/],
      [["add", folder], /has no manifest that can be read/],
      [["add", file("chat", "9.0.0")], /belongs to a plugin that comes with the gateway/],
      [["disable", "system"], /system stays on/],
      [["remove", "chat"], /plugboard plugins disable chat/],
      [["inspect", "nobody"], /plugboard plugins list/],
      [["disable", "greet", "--tenant", "nowhere"], /The tenant nowhere does not exist/],
    ]
    for (const [args, words] of refusals) {
      const { code, err } = await run("plugins", ...args)
      deepEqual([code, /\n {4}at /.test(err)], [1, false], `${args}: ${err}`)
      match(err, words)
    }
  })

  it("asks for the token when it has none, or a wrong one", async () => {
    const { code, err } = await plugboard(["plugins", "list"], { PLUGBOARD_PORT: new URL(gateway.url).port, PLUGBOARD_TOKEN: "wrong" }, folder)
    equal(code, 1)
    match(err, /takes no command without its token\. Set PLUGBOARD_TOKEN/)
  })

  it("removes a plugin, and its tables when it is told to", async () => {
    const { code, out } = await run("plugins", "remove", "greet", "--purge")
    deepEqual([code, await versionOf("greet")], [0, 404])
    match(out, /greet is removed, and its tables with it/)
  })

  it("does not take another program for a gateway", async () => {
    const other = createServer((_, response) => response.end("hello"))
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    const { code, err } = await plugboard(["plugins", "list"], { PLUGBOARD_PORT: String((other.address() as AddressInfo).port) }, folder)
    other.close()
    other.closeAllConnections()
    equal(code, 1)
    match(err, /is no Plugboard gateway\. Set PLUGBOARD_PORT/)
  })
})

describe("plugboard plugins, without a gateway", function offline() {
  this.timeout(120_000)

  it("works on the database itself, and the gateway comes up with what it left", async () => {
    const storage = await scratchDatabase()
    const env = { PLUGBOARD_PORT: await freePort(), PLUGBOARD_DATA_DIR: storage.dataDir, DATABASE_URL: storage.databaseUrl }
    const run = (...args: string[]) => plugboard(args, env, storage.dataDir)
    const file = join(storage.dataDir, "quiet.tgz")
    writeFileSync(file, packageOf("quiet", "1.0.0"))
    const added = await run("plugins", "add", file)
    equal(added.code, 0, added.err)
    equal((await run(...wayOut(added.out))).code, 0)
    match((await run("plugins", "disable", "chat")).out, /chat 1\.0\.0 is disabled/)
    const listed = JSON.parse((await run("plugins", "list", "--json")).out) as { id: string; state: string }[]
    deepEqual(
      listed.filter(({ id }) => ["quiet", "chat", "agents"].includes(id)).map(({ id, state }) => [id, state]),
      [
        ["agents", "ready"],
        ["chat", "disabled"],
        ["quiet", "ready"],
      ],
    )
    const gateway = await testGateway({ on: storage })
    equal((await gateway.as("viewer").get("/v1/x/quiet/version")).body.version, "1.0.0")
    equal((await gateway.as("viewer").get("/v1/models")).status, 404)
    if (!storage.databaseUrl) {
      const { code, err } = await run("plugins", "list")
      equal(code, 2)
      ok(err.includes(storage.dataDir), err)
    }
    await gateway.close()
  })
})
