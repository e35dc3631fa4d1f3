import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { asAdministrator, server, terminateAll, urlOf } from "./administrator.test.ts"
import type { CommittedEvent, Database } from "./database.ts"
import { acme, globex, kernelSource, type Notes, notesDatabase } from "./notes.test.ts"

if (server) {
  describe("a database server shared by nodes", function () {
    this.timeout(60_000)
    let notes: Notes
    let other: Database
    const of = (who: typeof acme) => notes.db.tenant("notes", who)
    const heard: CommittedEvent[] = []
    const until = async (done: () => boolean) => {
      while (!done()) await sleep(10)
    }
    const publish = (id: number) => of(acme).transaction(async (tx) => tx.publish("notes.changed", { id }, { userId: "ana" }))
    const ids = () => heard.map(({ payload }) => (payload as { id: number }).id)

    before(async () => {
      notes = await notesDatabase()
      await notes.reopen({ poolSize: 10 })
      other = await notes.open()
      await other.migrate(kernelSource)
      other.onCommitted((event) => heard.push(event))
    })
    after(async () => {
      await other.close()
      await notes.drop()
    })
    beforeEach(() => {
      heard.length = 0
    })

    it("brings an event of one to the other within a moment, once, and to nobody after a rollback", async () => {
      await publish(1)
      await until(() => heard.length > 0)
      deepEqual(heard, [{ plugin: "notes", event: "notes.changed", payload: { id: 1 }, tenantId: acme.tenantId, to: { userId: "ana" } }])
      await rejects(
        of(acme).transaction(async (tx) => {
          tx.publish("notes.changed", { id: 2 })
          throw new Error("roll back")
        }),
      )
      notes.db.announce({ plugin: "notes", event: "notes.said", payload: { id: 3 }, tenantId: globex.tenantId })
      await notes.db.kernel.transaction(async (tx) => tx.publish("kernel.key_revoked", { id: 4 }))
      await until(() => heard.length === 3)
      deepEqual(heard.slice(1), [
        { plugin: "notes", event: "notes.said", payload: { id: 3 }, tenantId: globex.tenantId, to: undefined },
        { plugin: "kernel", event: "kernel.key_revoked", payload: { id: 4 }, tenantId: "", to: undefined },
      ])
    })

    it("loses and repeats none of many that commit in another order than they began", async () => {
      const slow = of(acme).transaction(async (tx) => {
        tx.publish("notes.changed", { id: 999 })
        // Its row gets its id now, and appears after all the others.
        await of(acme).transaction(async (inner) => inner.publish("notes.changed", { id: 998 }))
        await sleep(1_500)
      })
      // No more at once than may wait for a connection on a slow machine.
      for (let from = 0; from < 1_500; from += 100) await Promise.all(Array.from({ length: 100 }, (_, index) => publish(from + index)))
      await slow
      await until(() => heard.length >= 1_502)
      await sleep(1_200)
      deepEqual(
        ids().sort((a, b) => a - b),
        [...Array.from({ length: 1_500 }, (_, index) => index), 998, 999].sort((a, b) => a - b),
      )
    })

    it("batches what is announced in a burst", async () => {
      const before = notes.db.statements.count
      for (let id = 0; id < 400; id += 1) notes.db.announce({ plugin: "notes", event: "notes.said", payload: { id }, tenantId: acme.tenantId })
      await until(() => heard.length === 400)
      ok(notes.db.statements.count - before < 10)
      deepEqual(
        ids(),
        Array.from({ length: 400 }, (_, index) => index),
      )
    })

    it("catches up with what was told while it was cut off", async () => {
      await terminateAll(notes.scratch.databaseUrl)
      await publish(7).catch(() => publish(7))
      await until(() => heard.length > 0)
      deepEqual(ids(), [7])
    })

    it("takes two nodes that meet on a new database", async () => {
      const name = `plugboard_test_pair_${Date.now()}`
      await asAdministrator((client) => client.query(`CREATE DATABASE ${name}`))
      const opened: Database[] = []
      try {
        await Promise.all(
          Array.from({ length: 3 }, async () => {
            const db = await notes.open({ databaseUrl: urlOf(name).href })
            opened.push(db)
            await db.migrate(kernelSource)
          }),
        )
        equal(opened.length, 3)
      } finally {
        await Promise.all(opened.map((db) => db.close()))
        await asAdministrator((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`))
      }
    })
  })
}
