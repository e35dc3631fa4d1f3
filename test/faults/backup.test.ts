import { deepEqual, equal, match, ok } from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Scratch, scratchDatabase } from "../../kernel/db/scratch.ts"
import { packageOf } from "../../kernel/packages/scratch.ts"
import { freePort, plugboard } from "../packages/command.ts"
import { startUpstream, type Upstream } from "../upstream/openai.ts"

const apiKey = "sk-canary-0123456789abcdef"

/** From the database that the tests run on to an embedded one, and from there to another of the first kind. */
describe("backup and restore", function () {
  this.timeout(180_000)
  const folder = mkdtempSync(join(tmpdir(), "plugboard-backup-"))
  const file = join(folder, "all.backup")
  const embedded = (name: string): Scratch => ({ databaseUrl: undefined, dataDir: join(folder, name), drop: async () => undefined })
  let gateway: TestGateway
  let upstream: Upstream
  let token: string
  /** Where nobody listens. */
  let port: string
  let kept: { key: string; sessions: string[]; agents: string[] }

  const envOf = ({ databaseUrl, dataDir }: Scratch, more = {}) => ({
    PLUGBOARD_DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    PLUGBOARD_PORT: port,
    PLUGBOARD_TOKEN: token,
    ...more,
  })
  const ask = async (url: string, key: string, path: string, body?: object) => {
    const response = await fetch(url + path, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as { agents: { agent_key: string }[]; version: string } }
  }
  const chat = (url: string, key: string) => ask(url, key, "/v1/chat/completions", { model: "agent:keyed", messages: [{ role: "user", content: "Hello" }], user: "ana" })
  const seen = async (url: string, key: string) => {
    const { body } = await ask(url, key, "/v1/agents")
    return body.agents.map(({ agent_key }) => agent_key).sort()
  }
  const messages = async (of: TestGateway) => (await of.executeSql("SELECT id::text, content FROM sessions.messages ORDER BY id")).rows.map((row) => JSON.stringify(row))

  before(async () => {
    port = await freePort()
    upstream = await startUpstream({ key: apiKey })
    gateway = await testGateway()
    token = gateway.token as string
    const owner = await gateway.as("owner")
    await owner.post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: upstream.url, api_key: apiKey })
    await owner.post("/v1/agents", { name: "keyed", provider: "upstream", model: "m" })
    const { key } = (await owner.post("/v1/api-keys", { name: "kept", scopes: ["operator.admin"] })).body
    const sql =
      "CREATE TABLE words.items (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), id bigint NOT NULL, data jsonb NOT NULL, tags text[] NOT NULL, above bigint, bytes bytea NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, above) REFERENCES words.items (tenant_id, id));"
    const tarball = packageOf("words", "1.0.0", { manifest: { capabilities: { db: true } }, files: [{ path: "package/migrations/words/0001_items.sql", bytes: sql }] })
    await owner.fetch("/v1/plugins", { method: "POST", body: tarball, headers: { "content-type": "application/gzip" } })
    const granted = await owner.post("/v1/plugins/words/grant")
    equal(granted.body.state, "active", JSON.stringify(granted.body))
    await gateway.executeSql(
      "INSERT INTO words.items (tenant_id, id, data, tags, above, bytes) SELECT t.id, n, CASE WHEN n % 2 = 0 THEN 'null'::jsonb ELSE '{\"n\": 12345678901234567890.5}' END, ARRAY['a,b', NULL], nullif(3001 - n, 3001), '\\x00ff' FROM kernel.tenants t, generate_series(0, 3000) n WHERE t.slug = 'master' AND n > 0",
    )
    await chat(gateway.url, key)
    kept = { key, sessions: await messages(gateway), agents: await seen(gateway.url, key) }
  })
  after(async () => {
    await upstream.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it("takes all of one moment while the gateway serves", async () => {
    let serving = true
    const load = (async () => {
      const statuses: number[] = []
      while (serving) statuses.push((await chat(gateway.url, kept.key)).status)
      return statuses
    })()
    const storage = gateway.storage as Scratch
    const { code, out, err } = await plugboard(["backup", file, "--with-key", "--yes"], envOf(storage, { PLUGBOARD_PORT: new URL(gateway.url).port }))
    serving = false
    const statuses = await load
    equal(code, 0, err)
    match(out, /\d+ tables, \d+ rows\.\nThe encryption key is in it/)
    ok(statuses.length > 0 && statuses.every((status) => status === 200), String(statuses))
    deepEqual(existsSync(join(storage.dataDir, "snapshots")) ? readdirSync(join(storage.dataDir, "snapshots")) : [], [])
    await gateway.close()
  })

  it("puts it into another database, with which a gateway goes on", async () => {
    const target = embedded("second")
    const { code, out, err } = await plugboard(["restore", file], envOf(target))
    equal(code, 0, err)
    match(out, /\d+ tables, \d+ rows, as they were at /)
    const second = await testGateway({ on: target, token })
    try {
      const now = await messages(second)
      deepEqual(now.slice(0, kept.sessions.length), kept.sessions)
      deepEqual(await seen(second.url, kept.key), kept.agents)
      equal((await chat(second.url, kept.key)).status, 200)
      equal((await ask(second.url, kept.key, "/v1/x/words/version")).body.version, "1.0.0")
      const { rows } = await second.executeSql(
        "SELECT count(*)::int AS count, count(*) FILTER (WHERE data = 'null')::int AS nulls, min(data ->> 'n') AS number, min(tags[1]) AS tag, count(tags[2])::int AS missing, min(encode(bytes, 'hex')) AS bytes FROM words.items",
      )
      deepEqual(rows[0], { count: 3_000, nulls: 1_500, number: "12345678901234567890.5", tag: "a,b", missing: 0, bytes: "00ff" })
    } finally {
      await second.close({ keep: true })
    }
  })

  it("refuses a file that was cut or changed, a database that is not empty, and what only looks like one, and changes nothing", async () => {
    const target = embedded("second")
    const broken = join(folder, "broken.backup")
    const run = (path: string, ...more: string[]) => plugboard(["restore", path, ...more], envOf(target))
    match((await run(file)).err, /The database is not empty: \S+ has rows/)
    const whole = readFileSync(file)
    writeFileSync(broken, whole)
    truncateSync(broken, Math.floor(whole.length / 2))
    match((await run(broken, "--force")).err, /cannot be restored: .*Nothing was changed/)
    writeFileSync(broken, "no backup at all")
    match((await run(broken, "--force")).err, /cannot be restored/)
    const after = await testGateway({ on: target, token })
    deepEqual((await messages(after)).slice(0, kept.sessions.length), kept.sessions)
    await after.close({ keep: true })
  })

  it("goes back to the first kind, without the key when nobody asks for it, and over what is there when it is forced", async () => {
    const second = embedded("second")
    const back = join(folder, "back.backup")
    const made = await plugboard(["backup", back], envOf(second))
    equal(made.code, 0, made.err)
    match(made.out, /The encryption key is not in it/)
    match((await plugboard(["backup", back, "--with-key"], envOf(second))).err, /Say that it is meant/)
    const third = await scratchDatabase()
    try {
      const first = await plugboard(["restore", back], envOf(third))
      equal(first.code, 0, first.err)
      match(first.out, /The encryption key [0-9a-f]{8}.* is not here/)
      equal((await plugboard(["restore", back, "--force"], envOf(third))).code, 0)
      writeFileSync(join(third.dataDir, "encryption.key"), readFileSync(join(second.dataDir, "encryption.key")))
      const gatewayAgain = await testGateway({ on: third, token })
      deepEqual((await messages(gatewayAgain)).slice(0, kept.sessions.length), kept.sessions)
      equal((await chat(gatewayAgain.url, kept.key)).status, 200)
      await gatewayAgain.close({ keep: true })
    } finally {
      await third.drop()
    }
  })
})
