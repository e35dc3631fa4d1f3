import { deepEqual, equal, match, ok } from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineManifest, definePlugin, type Manifest, type Plugin, row, service, sql } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"

// Rows R11 and R12 of the list of bad days: what does not fit is set aside by name, and the gateway serves on.
const Absent = service<{ find(): Promise<string> }>("absent-store", "1.0.0")
const Empty = Type.Object({})
const shared = { version: "1.0.0", sdk: "^1.0.0" } as const

const needy = definePlugin(defineManifest({ ...shared, id: "needy", requires: [Absent] }), () => ({}))
const future = definePlugin(defineManifest({ ...shared, id: "future", sdk: "^7.0.0" }), () => ({}))
const broken = definePlugin(defineManifest({ ...shared, id: "broken" }), () => {
  throw new Error("its author made a mistake")
})
const strict = definePlugin(
  defineManifest({ ...shared, id: "strict", config: Type.Object({ maxTerms: Type.Optional(Type.Integer()) }, { additionalProperties: false }) }),
  () => ({}),
)
const thief = definePlugin(defineManifest({ ...shared, id: "thief", rpc: { health: { role: "viewer", summary: "Not its own", result: Empty } } }), () => ({
  rpc: { health: async () => ({}) },
}))
const nameless = {
  manifest: { ...shared, id: "nameless", routes: { list: { method: "GET", path: "/v1/x/nameless", summary: "No access", reply: Empty } } } as unknown as Manifest,
  activate: () => ({ routes: { list: async () => ({}) } }),
} as Plugin
const halved = {
  manifest: {
    ...shared,
    id: "halved",
    rpc: { "halved.one": { role: "viewer", summary: "", result: Empty }, "halved.two": { role: "viewer", summary: "", result: Empty } },
  } as Manifest,
  activate: () => ({ rpc: { "halved.one": async () => ({}) } }),
} as Plugin
const fine = definePlugin(
  defineManifest({ ...shared, id: "fine", rpc: { "fine.hello": { role: "viewer", summary: "Hello", result: Type.Object({ hello: Type.String() }) } } }),
  () => ({
    rpc: { "fine.hello": async () => ({ hello: "world" }) },
  }),
)

describe("plugins that do not fit", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ plugins: [needy, future, broken, strict, thief, nameless, halved, fine], config: { plugins: { strict: { maxTerm: 3 } } } })
  })
  after(() => gateway.close())

  const expected: [string, RegExp][] = [
    ["needy", /needs the service absent-store, which no enabled plugin offers/],
    ["future", /made for SDK \^7\.0\.0, and this gateway offers/],
    ["broken", /activation failed: its author made a mistake/],
    ["strict", /plugins\.strict: maxTerm is unknown; did you mean maxTerms\?/],
    ["thief", /method health belongs to \w+ already; thief cannot have it too/],
    ["nameless", /route list does not say who may call it/],
    ["halved", /handler rpc\.halved\.two is missing/],
  ]
  for (const [plugin, reason] of expected) it(`${plugin} is set aside with its reason`, () => match(reasonOf(gateway, plugin), reason))

  it("leave the others at work", async () => {
    const rpc = await gateway.as("viewer").rpc()
    deepEqual(await rpc.call("fine.hello"), { hello: "world" })
    equal((await fetch(`${gateway.url}/health`)).status, 200)
    equal((await rpc.request("halved.one")).error?.code, "INVALID_REQUEST")
  })
})

describe("a migration that fails", () => {
  const Count = Type.Object({ count: Type.Integer() })
  const manifest = defineManifest({
    ...shared,
    id: "ledger",
    capabilities: { db: true },
    rpc: { "ledger.count": { role: "viewer", summary: "Count entries", result: Count } },
  })
  const ledger = definePlugin(manifest, (host) => ({
    rpc: { "ledger.count": async (_, { caller }) => host.db.for(caller).one(sql.type(row(Count))`SELECT count(*) AS count FROM ledger.entries`) },
  }))
  const first = "CREATE TABLE ledger.entries (id uuid PRIMARY KEY, tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant());\nSELECT kernel.protect('ledger.entries');\n"
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "plugboard-ledger-"))
    mkdirSync(join(folder, "migrations", "ledger"), { recursive: true })
    writeFileSync(join(folder, "migrations", "ledger", "0001_entries.sql"), first)
  })
  after(() => rmSync(folder, { recursive: true }))

  it("changes nothing, so that the version before runs on", async () => {
    const one = await testGateway({ plugins: [{ plugin: ledger, folder }] })
    await one.close({ keep: true })
    const second = join(folder, "migrations", "ledger", "0002_broken.sql")
    writeFileSync(second, "ALTER TABLE ledger.entries ADD COLUMN amount bigint;\nALTER TABLE ledger.nowhere ADD COLUMN amount bigint;\n")
    const two = await testGateway({ plugins: [{ plugin: ledger, folder }], on: one.storage, token: one.token })
    match(reasonOf(two, "ledger"), /The database change 0002_broken\.sql of ledger was not made: relation "ledger\.nowhere" does not exist/)
    const { rows } = await two.executeSql("SELECT count(*)::int AS count FROM information_schema.columns WHERE table_schema = 'ledger' AND column_name = 'amount'")
    equal(rows[0]?.count, 0)
    await two.close({ keep: true })
    rmSync(second)
    const three = await testGateway({ plugins: [{ plugin: ledger, folder }], on: one.storage, token: one.token })
    deepEqual(await (await three.as("viewer").rpc()).call("ledger.count"), { count: 0 })
    await three.close()
  }).timeout(60_000)

  it("is refused when it leaves a table that tenants would share", async () => {
    writeFileSync(join(folder, "migrations", "ledger", "0001_entries.sql"), "CREATE TABLE ledger.entries (id uuid PRIMARY KEY);\n")
    const gateway = await testGateway({ plugins: [{ plugin: ledger, folder }] })
    match(reasonOf(gateway, "ledger"), /ledger\.entries: it has no column tenant_id\. Call kernel\.protect/)
    await gateway.close()
  }).timeout(30_000)
})

/** What the operator reads in the log. */
function reasonOf(gateway: TestGateway, plugin: string): string {
  const line = gateway.logs.map((text) => JSON.parse(text)).find((entry) => entry.msg === "plugin set aside" && entry.plugin === plugin)
  ok(line?.remedy, `${plugin} is set aside, and has a remedy`)
  return line.reason
}
