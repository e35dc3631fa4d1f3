import { deepEqual, equal, match, ok } from "node:assert/strict"
import { createCipheriv, createHash, randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { definePlugin, row, sql } from "@plugboard/sdk"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { startUpstream, type Upstream } from "../../test/upstream/openai.ts"

const apiKey = "sk-canary-0123456789abcdef"
const Notes = Type.Object({ clear: Type.Array(Type.String()) })

/** Keeps sealed values in texts, in JSON and in a table of no tenant. */
const vault = definePlugin(
  {
    id: "vault",
    version: "1.0.0",
    sdk: "^1.0.0",
    capabilities: { db: true, secrets: ["note"] },
    globalTables: ["shared"],
    routes: {
      put: { method: "POST", path: "/v1/vault", role: "admin", summary: "Keep", body: Type.Object({ text: Type.String() }), reply: Notes },
      get: { method: "GET", path: "/v1/vault", role: "admin", summary: "Show", reply: Notes },
    },
  },
  (host) => ({
    routes: {
      async put({ body: { text }, caller }) {
        const sealed = await host.secrets.seal(caller, "note:1", text)
        const db = host.db.for(caller)
        await db.query(
          sql.type(
            row(Type.Object({})),
          )`INSERT INTO vault.notes (data, lists) VALUES (${JSON.stringify({ deep: [{ sealed }], other: "as it is" })}::jsonb, ${sql.array([sealed, "plain"], "text")})`,
        )
        await db.query(sql.type(row(Type.Object({})))`INSERT INTO vault.shared (text) VALUES (${sealed})`)
        return { clear: [] }
      },
      async get({ caller }) {
        const db = host.db.for(caller)
        const Found = row(Type.Object({ sealed: Type.String() }))
        const found = await db.any(sql.type(Found)`
          SELECT data #>> '{deep,0,sealed}' AS sealed FROM vault.notes UNION ALL SELECT lists[1] FROM vault.notes UNION ALL SELECT text FROM vault.shared LIMIT 10`)
        return { clear: await Promise.all(found.map(({ sealed }) => host.secrets.open(caller, "note:1", sealed))) }
      },
    },
  }),
)

describe("encryption", () => {
  let gateway: TestGateway
  let upstream: Upstream
  let owner: TestClient
  let file: string
  const folder = mkdtempSync(join(tmpdir(), "plugboard-vault-"))
  const idOf = (key: string) => createHash("sha256").update(Buffer.from(key, "hex")).digest("hex").slice(0, 8)
  const keysInFile = () => readFileSync(file, "utf8").trim().split("\n")
  const finished = async () => {
    for (;;) {
      const { rotation } = (await owner.get("/v1/encryption-keys/rotation")).body
      if (rotation.state === "done") return rotation
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const chat = async () => (await gateway.as("admin").post("/v1/chat/completions", { model: "agent:keyed", messages: [{ role: "user", content: "Hello" }] })).status

  before(async () => {
    const migrations = join(folder, "migrations", "vault")
    mkdirSync(migrations, { recursive: true })
    writeFileSync(
      join(migrations, "0001_vault.sql"),
      `CREATE TABLE vault.notes (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), data jsonb NOT NULL, lists text[] NOT NULL);
       SELECT kernel.protect('vault.notes');
       CREATE TABLE vault.shared (text text NOT NULL);
       GRANT SELECT, INSERT ON vault.shared TO {{app}};`,
    )
    upstream = await startUpstream({ key: apiKey })
    gateway = await testGateway({ plugins: [{ plugin: vault, folder }] })
    file = join((gateway.storage as { dataDir: string }).dataDir, "encryption.key")
    owner = await gateway.as("owner")
    const admin = await gateway.as("admin")
    await admin.post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: upstream.url, api_key: apiKey })
    await admin.post("/v1/agents", { name: "keyed", provider: "upstream", model: "m" })
    await admin.post("/v1/vault", { text: "the hidden note" })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
    rmSync(folder, { recursive: true })
  })

  it("names the key and what it has sealed, to an owner alone, and shows no key", async () => {
    const { status, body, text = JSON.stringify(body) } = (await owner.get("/v1/encryption-keys")) as { status: number; body: Record<string, unknown>; text?: string }
    equal(status, 200)
    deepEqual(body, { source: "file", keys: [{ id: idOf(keysInFile()[0] as string), newest: true, secrets: 4 }], rotation: null })
    ok(!text.includes(keysInFile()[0] as string))
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/rotation"],
      ["POST", "/rotate"],
      ["DELETE", "/abcdef01"],
    ] as const)
      equal((await gateway.as("admin").fetch(`/v1/encryption-keys${path}`, { method })).status, 403)
  })

  it("seals every secret anew while chats go on, and drops the old key only then", async () => {
    const [old] = keysInFile() as [string]
    // A provider's key in the first form, which did not say where it belongs.
    const { rows } = await gateway.executeSql("SELECT id::text, tenant_id::text FROM providers.providers WHERE name = 'upstream'")
    const { id, tenant_id: tenant } = rows[0] as { id: string; tenant_id: string }
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", Buffer.from(old, "hex"), nonce).setAAD(Buffer.from(JSON.stringify([tenant, "providers", `api_key:${id}`])))
    const first = `v1:${idOf(old)}:${Buffer.concat([nonce, cipher.update(apiKey), cipher.final(), cipher.getAuthTag()]).toString("base64")}`
    await gateway.executeSql("UPDATE providers.providers SET api_key = $1 WHERE id = $2", [first, id])

    let chatting = true
    const chats = (async () => {
      const statuses: number[] = []
      while (chatting) statuses.push(await chat())
      return statuses
    })()
    const begun = await owner.post("/v1/encryption-keys/rotate")
    deepEqual([begun.status, begun.body.total], [202, 4])
    const { key, resealed } = await finished()
    deepEqual([resealed, keysInFile().map(idOf), statSync(file).mode & 0o777], [4, [key, idOf(old)], 0o600])
    const { body } = await owner.get("/v1/encryption-keys")
    deepEqual(body.keys, [
      { id: key, newest: true, secrets: 4 },
      { id: idOf(old), newest: false, secrets: 0 },
    ])
    const dropped = await owner.delete(`/v1/encryption-keys/${idOf(old)}`)
    deepEqual([dropped.status, dropped.body.keys.length, keysInFile().map(idOf)], [200, 1, [key]])
    chatting = false
    const statuses = await chats
    ok(statuses.length > 0 && statuses.every((status) => status === 200), String(statuses))
    deepEqual((await gateway.as("admin").get("/v1/vault")).body.clear, ["the hidden note", "the hidden note", "the hidden note"])
    equal((await gateway.executeSql("SELECT data ->> 'other' AS other FROM vault.notes")).rows[0]?.other, "as it is")
    equal(await chat(), 200)
  })

  it("keeps a key that seals something, unless it is forced, and the newest", async () => {
    const [old] = keysInFile().map(idOf) as [string]
    await owner.post("/v1/encryption-keys/rotate")
    const { key } = await finished()
    await gateway.executeSql("INSERT INTO vault.shared (text) VALUES ($1)", [`what opens nowhere: v1:${old}:AAAA`])
    const drop = async (id: string) => {
      const { status, body } = await owner.delete(`/v1/encryption-keys/${id}`)
      return [status, body.error]
    }
    deepEqual(await drop(key), [409, `${key} is the newest encryption key. Make another with: plugboard keys rotate`])
    equal((await drop("abcdef01"))[0], 404)
    const [status, error] = await drop(old)
    equal(status, 409)
    match(error, new RegExp(`1 stored secrets are still sealed with the encryption key ${old}: vault.shared.text`))
    equal((await owner.delete(`/v1/encryption-keys/${old}?force=true`)).status, 200)
    deepEqual(keysInFile().map(idOf), [key])
  })

  it("is audited, and leaves no secret in the log", async () => {
    const { logs } = (await owner.get("/v1/activity?entity_type=encryption_key")).body
    deepEqual(new Set(logs.map(({ action }: { action: string }) => action)), new Set(["encryption_key.rotated", "encryption_key.dropped"]))
    const log = gateway.logs.join("\n")
    for (const secret of [apiKey, "the hidden note", ...keysInFile()]) ok(!log.includes(secret))
  })

  it("makes no key where the environment names it, and says how", async () => {
    const given = await testGateway({ env: { PLUGBOARD_ENCRYPTION_KEY: randomBytes(32).toString("hex") } })
    try {
      const { status, body } = await given.as("owner").post("/v1/encryption-keys/rotate")
      equal(status, 409)
      match(body.error, /PLUGBOARD_ENCRYPTION_KEYS_OLD/)
    } finally {
      await given.close()
    }
  })
})
