import { deepEqual, equal, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { isError, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { asAdministrator, databaseOf, server, terminateAll, urlOf } from "./administrator.test.ts"
import { acme, allNotes, globex, insert, type Notes, notesDatabase, sleepFor } from "./notes.test.ts"

// What only a server can do, and its administrator to it. That it is shared, stands behind a pooler or is stopped has files of its own.
if (server) {
  describe("a database server", function () {
    this.timeout(60_000)
    let notes: Notes
    const of = (who: typeof acme) => notes.db.tenant("notes", who)

    before(async () => {
      notes = await notesDatabase()
    })
    after(() => notes.drop())

    const unavailable = (error: unknown) => isError(error, "kernel.database_unavailable") && error.failure.retryAfterMs === 1_000

    it("that ends its connections is asked again on new ones", async () => {
      const busy = rejects(of(acme).any(sleepFor(20)), unavailable)
      const inside = of(acme).transaction(async (tx) => {
        await tx.query(insert("never"))
        await tx.any(sleepFor(20))
      })
      const insideEnds = rejects(inside, unavailable)
      await sleep(200)
      await terminateAll(notes.scratch.databaseUrl)
      await busy
      await insideEnds
      // The other connections of the pool hear of their end a moment later; who is faster is told to come back.
      await sleep(100)
      for (const who of [acme, globex, acme]) deepEqual(await of(who).any(allNotes), [{ text: who === acme ? "of acme" : "of globex" }])
    })

    it("that cancels a statement leaves no binding behind", async () => {
      for (let round = 0; round < 4; round += 1) {
        const cancelled = rejects(of(acme).any(sleepFor(20)), unavailable)
        await sleep(100)
        await asAdministrator((client) =>
          client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()", [
            databaseOf(notes.scratch.databaseUrl),
          ]),
        )
        await cancelled
        deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
      }
    })

    it("cancels a statement past its limit itself", async () => {
      await notes.reopen({ statementTimeoutMs: 2_000 })
      await rejects(of(acme).any(sleepFor(20)), unavailable)
      const running = await asAdministrator((client) =>
        client.query("SELECT FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()", [
          databaseOf(notes.scratch.databaseUrl),
        ]),
      )
      equal(running.rowCount, 0)
      await notes.reopen()
    })

    it("tells its administrator who is connected, and keeps time in UTC", async () => {
      const Row = row(Type.Object({ name: Type.String(), zone: Type.String() }))
      deepEqual(await of(acme).one(sql.type(Row)`SELECT current_setting('application_name') AS name, current_setting('TimeZone') AS zone`), { name: "plugboard", zone: "UTC" })
    })

    it("may be owned by someone who is no superuser", async () => {
      const owner = `plugboard_owner_${Date.now()}`
      await asAdministrator(async (client) => {
        await client.query(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'secret'`)
        await client.query(`CREATE DATABASE ${owner} OWNER ${owner}`)
      })
      const url = urlOf(owner)
      url.username = owner
      url.password = "secret"
      const own = await notesDatabase({ databaseUrl: url.href })
      try {
        await own.migrate("0002_filled.sql", "ALTER TABLE notes.notes ADD COLUMN filled boolean;\nUPDATE notes.notes SET filled = true;\n")
        const Filled = row(Type.Object({ filled: Type.Boolean() }))
        for (const who of [acme, globex]) deepEqual(await own.db.tenant("notes", who).any(sql.type(Filled)`SELECT filled FROM notes.notes`), [{ filled: true }])
        deepEqual(await own.db.unbound.any(allNotes), [])
        await own.db.tenant("notes", acme).transaction(async (tx) => {
          tx.publish("notes.changed", {})
          tx.audit({ action: "note.added", entityType: "note", entityId: "1" })
        })
      } finally {
        await own.drop()
        await asAdministrator(async (client) => {
          const { rows } = await client.query<{ oid: number }>("SELECT oid FROM pg_database WHERE datname = $1", [owner])
          await client.query(`DROP DATABASE ${owner} WITH (FORCE)`)
          await client.query(`DROP ROLE plugboard_${rows[0]?.oid}_app, plugboard_${rows[0]?.oid}_kernel, ${owner}`)
        })
      }
    })

    it("opens a copy of a database with the roles that its policies name", async () => {
      const copy = `plugboard_test_copy_${Date.now()}`
      await notes.db.close()
      await asAdministrator((client) => client.query(`CREATE DATABASE ${copy} TEMPLATE ${databaseOf(notes.scratch.databaseUrl)}`))
      const db = await notes.open({ databaseUrl: urlOf(copy).href })
      try {
        deepEqual(await db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        deepEqual(await db.unbound.any(allNotes), [])
      } finally {
        await db.close()
        await asAdministrator((client) => client.query(`DROP DATABASE ${copy} WITH (FORCE)`))
        await notes.reopen()
      }
    })
  })
}
