import { deepEqual, equal } from "node:assert/strict"
import { asAdministrator, server } from "../../db/administrator.test.ts"
import { acme, globex } from "../../db/notes.test.ts"
import { canStartPooler, startPooler } from "../../db/own-pooler.test.ts"
import { openPluginDb } from "./open.ts"
import { purgePlugin } from "./purge.ts"
import { roleOf } from "./role.ts"
import { type Terms, termsDatabase } from "./terms.test.ts"

const taken = { audit: [{ action: "term.added", entityType: "term", entityId: "1" }], events: [{ event: "glossary.changed", payload: {} }], jobs: [] }

if (server) {
  describe("the database of a sandboxed plugin, owned by someone who is no superuser", function () {
    this.timeout(60_000)

    it("has its role, tables, transactions and end", async () => {
      const owner = `plugboard_owner_${Date.now()}`
      await asAdministrator(async (client) => {
        await client.query(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'secret'`)
        await client.query(`CREATE DATABASE ${owner} OWNER ${owner}`)
      })
      const url = new URL(server as string)
      url.username = owner
      url.password = "secret"
      url.pathname = `/${owner}`
      const terms = await termsDatabase({ databaseUrl: url.href })
      try {
        equal(terms.plugin.border, "login")
        await keepsApart(terms)
        await terms.plugin.close()
        await purgePlugin(terms.rooms, "glossary")
        const { rows } = await terms.db.executeSql("SELECT FROM pg_roles WHERE rolname = $1", [roleOf(terms.db.inside, "glossary")])
        deepEqual(rows, [])
      } finally {
        await terms.drop()
        await asAdministrator(async (client) => {
          const { rows } = await client.query<{ oid: number }>("SELECT oid FROM pg_database WHERE datname = $1", [owner])
          await client.query(`DROP DATABASE ${owner} WITH (FORCE)`)
          const { rows: roles } = await client.query<{ name: string }>("SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname LIKE $1", [
            `plugboard\\_${rows[0]?.oid}\\_%`,
          ])
          await client.query(`DROP ROLE ${[...roles.map(({ name }) => name), owner].join(", ")}`)
        })
      }
    })
  })
}

if (canStartPooler) {
  describe("the database of a sandboxed plugin, behind a pooler", function () {
    this.timeout(60_000)

    it("takes on the plugin's role for each transaction, since the pooler lets everybody in as one user", async () => {
      const terms = await termsDatabase()
      const pooler = await startPooler(terms.notes.scratch.databaseUrl as string)
      const db = await terms.notes.open({ databaseUrl: pooler.url })
      const plugin = await openPluginDb({ ...terms.rooms, db, config: { ...terms.rooms.config, databaseUrl: pooler.url } }, "glossary")
      try {
        equal(plugin.border, "role")
        await keepsApart({ ...terms, plugin, db })
      } finally {
        await plugin.close()
        await db.close()
        pooler.stop()
        await terms.drop()
      }
    })
  })
}

/** Interleaved queries and a transaction of two tenants. */
async function keepsApart({ plugin, db }: Pick<Terms, "plugin" | "db">): Promise<void> {
  for (const caller of [acme, globex]) {
    const tx = await plugin.transaction(caller)
    await tx.query("INSERT INTO glossary.terms (name, meaning) VALUES ('SLA', $1)", [caller.tenantId])
    await tx.commit(taken)
  }
  const seen = await Promise.all(Array.from({ length: 40 }, (_, index) => plugin.query(index % 2 ? acme : globex, "SELECT meaning FROM glossary.terms", [])))
  for (const [index, { rows }] of seen.entries()) deepEqual(rows, [{ meaning: (index % 2 ? acme : globex).tenantId }])
  const { rows } = await db.executeSql("SELECT count(*) AS n FROM kernel.activity WHERE action = $1", ["term.added"])
  deepEqual(rows, [{ n: 2 }])
}
