import { deepEqual, equal, match, ok } from "node:assert/strict"
import { hash } from "node:crypto"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { Manifest } from "@plugboard/sdk"
import { type Answer, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { packageOf, tarballWith } from "../../kernel/packages/scratch.ts"

const net = (...hosts: string[]): Partial<Manifest> => ({ capabilities: { net: hosts } })

describe("packages of plugins", function packages() {
  this.timeout(60_000)
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  async function add(tarball: Uint8Array, path = "/v1/plugins"): Promise<Answer> {
    const response = await (await gateway.as("owner")).fetch(path, { method: "POST", body: Buffer.from(tarball), headers: { "content-type": "application/gzip" } })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }
  const owner = () => gateway.as("owner")
  const versionOf = async (id: string) => {
    const { status, body } = await gateway.as("viewer", "acme").get(`/v1/x/${id}/version`)
    return status === 200 ? body.version : status
  }
  const added = async (id: string, version: string, options: Parameters<typeof packageOf>[2] = {}) => {
    await add(packageOf(id, version, options))
    return (await (await owner()).post(`/v1/plugins/${id}/grant`)).body
  }

  it("wait for consent, and run once it is given, without a restart", async () => {
    const tarball = packageOf("first", "1.0.0", { manifest: net("api.example.com") })
    const { status, body } = await add(tarball)
    deepEqual([status, body.state, body.waiting.hash, body.waiting.says], [201, "waiting", hash("sha256", tarball), ["It may call these hosts: api.example.com."]])
    equal(body.remedy, "See what it asks for and agree with: plugboard plugins grant first")
    equal(await versionOf("first"), 404)
    const granted = await (await owner()).post("/v1/plugins/first/grant", { hash: body.waiting.hash })
    deepEqual([granted.status, granted.body.state, "waiting" in granted.body], [200, "active", false])
    equal(await versionOf("first"), "1.0.0")
    ok((await (await owner()).get("/v1/openapi.json")).body.paths["/v1/x/first/version"])
    const again = await (await owner()).post("/v1/plugins/first/grant")
    deepEqual([again.status, again.body.code], [409, "FAILED_PRECONDITION"])
  })

  it("are not agreed to unseen: a consent for another hash is refused", async () => {
    await add(packageOf("seen", "1.0.0"))
    const { status, body } = await (await owner()).post("/v1/plugins/seen/grant", { hash: "0".repeat(64) })
    equal(status, 409)
    match(body.error, /with the hash [0-9a-f]{64}/)
    equal(await versionOf("seen"), 404)
  })

  it("say what they ask for in the caller's language", async () => {
    await add(packageOf("polite", "1.0.0", { manifest: net("*") }))
    const says = async (locale: string) => (await (await owner()).get("/v1/plugins/polite", { "accept-language": locale })).body.says[0]
    deepEqual([await says("vi"), await says("zh")], ["Plugin được gọi tới mọi máy chủ công khai.", "它可以访问任何公网主机。"])
  })

  it("are upgraded by the same consent when they ask for no more", async () => {
    await added("modest", "1.0.0", { manifest: net("a.example.com", "*.b.example.com") })
    const { body } = await add(packageOf("modest", "1.1.0", { manifest: net("x.b.example.com") }))
    deepEqual([body.state, body.version, body.previous.version, body.asks.net], ["active", "1.1.0", "1.0.0", ["x.b.example.com"]])
    equal(await versionOf("modest"), "1.1.0")
    const { rows } = await gateway.executeSql("SELECT details FROM kernel.activity WHERE entity_id = 'modest' AND action = 'plugin.upgraded'")
    deepEqual(rows[0]?.details, { version: "1.1.0", hash: body.package.hash, from: "1.0.0", consent: "as for 1.0.0" })
  })

  it("wait with an upgrade that asks for more, while the version before goes on", async () => {
    await added("greedy", "1.0.0", { manifest: net("a.example.com") })
    const { body } = await add(packageOf("greedy", "2.0.0", { manifest: net("a.example.com", "b.example.com") }))
    deepEqual([body.state, body.version, body.pending.version, body.pending.reason], ["active", "1.0.0", "2.0.0", "it asks for more than was agreed to"])
    deepEqual(body.waiting.beyond, ["It may call these hosts: b.example.com."])
    match(body.pending.remedy, /plugboard plugins grant greedy/)
    equal(await versionOf("greedy"), "1.0.0")
    const granted = (await (await owner()).post("/v1/plugins/greedy/grant")).body
    deepEqual([granted.version, "pending" in granted, await versionOf("greedy")], ["2.0.0", false, "2.0.0"])
  })

  it("go back to the version before, and forth again", async () => {
    await added("swing", "1.0.0")
    await add(packageOf("swing", "2.0.0"))
    equal(await versionOf("swing"), "2.0.0")
    const back = await (await owner()).post("/v1/plugins/swing/rollback")
    deepEqual([back.status, back.body.version, back.body.previous.version, await versionOf("swing")], [200, "1.0.0", "2.0.0", "1.0.0"])
    equal((await (await owner()).post("/v1/plugins/swing/rollback")).body.version, "2.0.0")
    await added("single", "1.0.0")
    const none = await (await owner()).post("/v1/plugins/single/rollback")
    equal(none.status, 409)
    match(none.body.error, /plugboard plugins add/)
  })

  it("that do not come up leave the version before at work, and say why", async () => {
    await added("fragile", "1.0.0")
    const { body } = await add(packageOf("fragile", "2.0.0", { code: "throw new Error('its author made a mistake')" }))
    deepEqual([body.state, body.version, body.pending.version], ["active", "1.0.0", "2.0.0"])
    match(body.pending.reason, /its author made a mistake/)
    equal(await versionOf("fragile"), "1.0.0")
    equal((await (await owner()).post("/v1/plugins/fragile/rollback")).body.pending, undefined)
    const first = await added("stillborn", "1.0.0", { code: "throw new Error('never')" })
    deepEqual([first.state, typeof first.reason, typeof first.remedy], ["failed", "string", "string"])
  })

  it("get settings without a restart, with their defaults, and keep them over an upgrade", async () => {
    const manifest = { config: Type.Object({ tone: Type.String({ default: "kind" }), key: Type.Optional(Type.String({ format: "password" })) }, { additionalProperties: false }) }
    await added("tuned", "1.0.0", { manifest })
    const configOf = async () => (await gateway.as("viewer").get("/v1/x/tuned/version")).body.config
    deepEqual(await configOf(), { tone: "kind" })
    const { body } = await (await owner()).put("/v1/plugins/tuned/config", { tone: "dry", key: "s3cret-key" })
    deepEqual([body.state, body.config], ["active", { tone: "dry", key: "***" }])
    deepEqual(await configOf(), { tone: "dry", key: "s3cret-key" })
    match((await (await owner()).put("/v1/plugins/tuned/config", { tones: "dry" })).body.error, /tones is unknown; did you mean tone\?/)
    await add(packageOf("tuned", "1.1.0", { manifest }))
    deepEqual([await versionOf("tuned"), await configOf()], ["1.1.0", { tone: "dry", key: "s3cret-key" }])
  })

  it("are switched off for everyone or for one tenant, and on again", async () => {
    await added("switch", "1.0.0")
    const acme = await gateway.as("admin", "acme")
    await acme.post("/v1/plugins/switch/disable", { scope: "tenant" })
    deepEqual([await versionOf("switch"), (await gateway.as("viewer", "globex").get("/v1/x/switch/version")).status], [404, 200])
    await acme.post("/v1/plugins/switch/enable", { scope: "tenant" })
    equal((await (await owner()).post("/v1/plugins/switch/disable")).body.state, "disabled")
    equal(await versionOf("switch"), 404)
    equal((await (await owner()).post("/v1/plugins/switch/enable")).body.state, "active")
    equal(await versionOf("switch"), "1.0.0")
  })

  it("are removed with what they contribute; their tables stay unless they are purged", async () => {
    const manifest: Partial<Manifest> = { capabilities: { db: true } }
    const table = "CREATE TABLE ledger.entries (id uuid PRIMARY KEY, tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant());\nSELECT kernel.protect('ledger.entries');\n"
    const options = { manifest, files: [{ path: "package/migrations/ledger/0001_entries.sql", bytes: table }] }
    const tables = async () => (await gateway.executeSql("SELECT count(*)::int AS count FROM information_schema.tables WHERE table_schema = 'ledger'")).rows[0]?.count
    equal((await added("ledger", "1.0.0", options)).state, "active")
    deepEqual((await (await owner()).delete("/v1/plugins/ledger")).body, { status: "removed" })
    deepEqual([await versionOf("ledger"), await tables(), (await (await owner()).get("/v1/plugins/ledger")).status], [404, 1, 404])
    equal((await added("ledger", "1.0.0", options)).state, "active")
    equal((await (await owner()).delete("/v1/plugins/ledger?purge=true")).status, 200)
    deepEqual([await versionOf("ledger"), await tables()], [404, 0])
    equal((await gateway.executeSql("SELECT count(*)::int AS count FROM kernel.packages WHERE plugin_id = 'ledger'")).rows[0]?.count, 0)
    equal((await added("ledger", "1.0.0", options)).state, "active")
    equal(await tables(), 1)
  })

  it("are refused with a reason and a remedy when they are none, and change nothing", async () => {
    const before = (await (await owner()).get("/v1/plugins")).body
    for (const [tarball, reason] of [
      [Buffer.from("hello"), /not a gzipped tarball/],
      [tarballWith([{ path: "package/index.js" }]), /plugboard plugins pack FOLDER/],
      [tarballWith([{ path: "package/../../evil.js" }]), /may not stand in a package/],
      [packageOf("future", "1.0.0", { manifest: { sdk: "^9.0.0" } }), /made for SDK \^9\.0\.0/],
      [packageOf("thief", "1.0.0", { manifest: { routes: { take: { method: "GET", path: "/v1/agents", role: "viewer", summary: "", reply: Type.Object({}) } } } }), /\/v1\/agents/],
    ] as const) {
      const { status, body } = await add(tarball)
      deepEqual([status, body.code], [400, "INVALID_REQUEST"])
      match(body.error, reason)
    }
    const taken = await add(packageOf("agents", "9.0.0"))
    deepEqual([taken.status, taken.body.code], [409, "ALREADY_EXISTS"])
    deepEqual((await (await owner()).get("/v1/plugins")).body, before)
  })

  it("are added over the socket, too", async () => {
    const rpc = await (await owner()).rpc()
    const { waiting } = await rpc.call("plugins.add", { tarball: packageOf("wired", "1.0.0").toString("base64") })
    equal((await rpc.call("plugins.grant", { id: "wired", hash: waiting.hash })).state, "active")
    equal((await rpc.call("plugins.inspect", { id: "wired" })).contributes.routes[0], "GET /v1/x/wired/version")
    await add(packageOf("wired", "2.0.0"))
    equal((await rpc.call("plugins.rollback", { id: "wired" })).version, "1.0.0")
    deepEqual(await rpc.call("plugins.remove", { id: "wired", purge: true }), { status: "removed" })
  })

  it("are written into the audit log, each change with who made it", async () => {
    const { rows } = await gateway.executeSql("SELECT DISTINCT action FROM kernel.activity WHERE entity_type = 'plugin' AND actor_id = 'system' ORDER BY action")
    deepEqual(
      rows.map(({ action }) => action),
      ["plugin.added", "plugin.configured", "plugin.disabled", "plugin.enabled", "plugin.granted", "plugin.removed", "plugin.rolled_back", "plugin.upgraded"],
    )
  })
})

describe("packages over a restart", function restart() {
  this.timeout(60_000)

  it("come up again from the database, and what is gone from it leaves the disk", async () => {
    const one = await testGateway()
    const { dataDir } = one.storage as { dataDir: string }
    const owner = await one.as("owner")
    const add = (tarball: Uint8Array) => owner.fetch("/v1/plugins", { method: "POST", body: Buffer.from(tarball), headers: { "content-type": "application/gzip" } })
    await add(packageOf("lasting", "1.0.0"))
    await owner.post("/v1/plugins/lasting/grant")
    await add(packageOf("passing", "1.0.0"))
    await owner.post("/v1/plugins/passing/grant")
    await owner.delete("/v1/plugins/passing")
    // Not proven yet: the node that tried it fell back, and so does the next.
    await add(packageOf("lasting", "2.0.0", { code: "throw new Error('broken')" }))
    await one.close({ keep: true })
    equal(readdirSync(join(dataDir, "packages")).length, 3)
    const two = await testGateway({ on: one.storage, token: one.token })
    equal((await two.as("viewer").get("/v1/x/lasting/version")).body.version, "1.0.0")
    const { body } = await two.as("owner").get("/v1/plugins/lasting")
    deepEqual([body.state, body.version, body.pending.version], ["active", "1.0.0", "2.0.0"])
    match(body.pending.reason, /broken/)
    equal(readdirSync(join(dataDir, "packages")).length, 2)
    equal(existsSync(join(dataDir, "packages", body.previous.hash)), true)
    await two.close()
  })
})
