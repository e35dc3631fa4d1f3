import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { isError } from "@plugboard/sdk"
import pg from "pg"
import { asAdministrator } from "../../db/administrator.test.ts"
import { acme, allNotes, globex } from "../../db/notes.test.ts"
import { canStartServer, ownServer } from "../../db/own-server.test.ts"
import { examinePluginLogin } from "./examine.ts"
import { loginConfig, loginSeed, passwordOf } from "./login.ts"
import { openPluginDb } from "./open.ts"
import { roleOf } from "./role.ts"
import { secrets, secretsOf, type Terms, termsDatabase } from "./terms.test.ts"

const postgresOnly = "host all postgres 127.0.0.1/32 trust"
const everybodyByPassword = "host all all 127.0.0.1/32 scram-sha-256"

if (canStartServer) {
  describe("a server that asks for passwords", function () {
    this.timeout(120_000)
    let own: Awaited<ReturnType<typeof ownServer>>
    let terms: Terms
    let role: string
    const verifier = () =>
      asAdministrator(async (client) => (await client.query("SELECT rolpassword FROM pg_authid WHERE rolname = $1", [role])).rows[0]?.rolpassword as string, own.url)
    const logIn = async (password: string) => {
      const client = new pg.Client(loginConfig(own.url, role, password))
      try {
        await client.connect()
      } finally {
        await client.end()
      }
    }

    before(async () => {
      own = await ownServer()
      own.letIn(postgresOnly, everybodyByPassword)
      await asAdministrator((client) => client.query("ALTER SYSTEM SET log_statement = 'all'"), own.url)
      own.control("reload")
      await sleep(200)
      terms = await termsDatabase({ databaseUrl: own.url })
      role = roleOf(terms.db.inside, "glossary")
    })
    after(async () => {
      await terms.drop()
      own.remove()
    })

    it("lets a plugin in as itself, by a password that every node with the keys knows and nothing has written down", async () => {
      equal(terms.plugin.border, "login")
      const password = passwordOf(await loginSeed(terms.db.inside.pool, secrets), role)
      await logIn(password)
      await rejects(logIn(`${password}x`), /password authentication failed/)
      match(await verifier(), /^SCRAM-SHA-256\$/)
      await terms.add(acme, "SLA")
      ok(own.log().includes("ALTER ROLE"))
      for (const text of [own.log(), terms.logs.join("\n"), terms.notes.logs.join("\n")]) ok(!text.includes(password))
    })

    it("keeps the password for the next node, and refuses one without the key", async () => {
      const before = await verifier()
      const second = await openPluginDb(terms.rooms, "glossary")
      equal(await verifier(), before)
      await rejects(openPluginDb({ ...terms.rooms, secrets: secretsOf(randomBytes(32)) }, "glossary"), (error) => isError(error, "kernel.encryption_key_missing"))
      equal(await verifier(), before)
      deepEqual(await terms.names(acme), ["SLA"])
      await second.close()
    })

    it("is what doctor asks for", async () => {
      deepEqual(await examinePluginLogin(own.url), { ok: true, what: "plugins: they log in to the database as themselves" })
      const { rows } = await asAdministrator((client) => client.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'plugboard\\_doctor%'"), own.url)
      deepEqual(rows, [])
    })
  })

  describe("a server that lets in nobody but the gateway", function () {
    this.timeout(120_000)
    let own: Awaited<ReturnType<typeof ownServer>>
    let terms: Terms

    before(async () => {
      own = await ownServer()
      own.letIn(postgresOnly)
      await sleep(200)
      terms = await termsDatabase({ databaseUrl: own.url })
    })
    after(async () => {
      await terms.drop()
      own.remove()
    })

    it("serves a plugin by connections of the gateway that take its role on, and the log and doctor say so", async () => {
      equal(terms.plugin.border, "role")
      ok(terms.logs.some((line) => line.includes("cannot log in to the database as itself") && line.includes("pg_hba.conf")))
      match((await examinePluginLogin(own.url)).what, /without logins of their own \(.*pg_hba\.conf.*scram-sha-256/)
    })

    it("keeps tenants and plugins apart all the same", async () => {
      for (const caller of [acme, globex]) await terms.add(caller, "SLA")
      deepEqual(await terms.names(acme), ["SLA"])
      const seen = await terms.plugin.query(acme, "SELECT meaning FROM glossary.terms", [])
      equal(seen.rows.length, 1)
      await rejects(terms.plugin.query(acme, "SELECT text FROM other_one.secrets", []), (error) => isError(error, "kernel.sql_refused"))
      const tx = await terms.plugin.transaction(acme)
      await tx.query("INSERT INTO glossary.terms (name, meaning) VALUES ('by role', '')", [])
      await tx.commit({ audit: [{ action: "term.added", entityType: "term", entityId: "1" }], events: [{ event: "glossary.changed", payload: {} }], jobs: [] })
      deepEqual(await terms.names(acme), ["SLA", "by role"])
      const { rows } = await terms.db.executeSql("SELECT tenant_id::text AS tenant FROM kernel.activity WHERE action = $1", ["term.added"])
      deepEqual(rows, [{ tenant: acme.tenantId }])
      deepEqual(await terms.db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
    })
  })
}
