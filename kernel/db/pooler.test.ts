import { deepEqual, equal, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { isError } from "@plugboard/sdk"
import type { CommittedEvent } from "./database.ts"
import { acme, allNotes, callerOf, globex, insert, kernelSource, notesDatabase, sleepFor } from "./notes.test.ts"
import { canStartPooler, startPooler } from "./own-pooler.test.ts"

if (canStartPooler) {
  describe("a pooler before a database server", function () {
    this.timeout(60_000)

    it("that hands out connections per transaction keeps tenants apart", async () => {
      const notes = await notesDatabase()
      const own = await startPooler(notes.scratch.databaseUrl as string)
      const there = await notes.open({ databaseUrl: own.url, poolSize: 8, statementTimeoutMs: 2_000 })
      try {
        await there.migrate(kernelSource)
        const seen = await Promise.all(Array.from({ length: 200 }, (_, index) => there.tenant("notes", index % 2 ? acme : globex).any(allNotes)))
        for (const [index, rows] of seen.entries()) deepEqual(rows, [{ text: index % 2 ? "of acme" : "of globex" }])
        deepEqual(await there.unbound.any(allNotes), [])
        await there.tenant("notes", acme).transaction(async (tx) => {
          await tx.query(insert("through the pooler"))
          tx.publish("notes.changed", { id: 1 })
          tx.audit({ action: "note.added", entityType: "note", entityId: "1" })
        })
        equal((await notes.db.tenant("notes", acme).any(allNotes)).length, 2)
        await rejects(there.tenant("notes", acme).any(sleepFor(20)), (error) => isError(error, "kernel.database_unavailable"))
        const heard: CommittedEvent[] = []
        there.onCommitted((event) => heard.push(event))
        await notes.db.tenant("notes", callerOf(globex.tenantId)).transaction(async (tx) => tx.publish("notes.changed", { id: 2 }))
        for (let waited = 0; heard.length === 0 && waited < 15_000; waited += 50) await sleep(50)
        deepEqual(
          heard.map(({ payload }) => payload),
          [{ id: 2 }],
        )
      } finally {
        await there.close()
        own.stop()
        await notes.drop()
      }
    })
  })
}
