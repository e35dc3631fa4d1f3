import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { row, sql } from "@plugboard/sdk"
import { UniqueIntegrityConstraintViolationError } from "slonik"
import { Type } from "typebox"
import type { CommittedEvent } from "./database.ts"
import { acme, allNotes, globex, insert, type Notes, Nothing, notesDatabase } from "./notes.test.ts"

describe("a transaction", function () {
  this.timeout(120_000)
  let notes: Notes
  const of = (who: typeof acme, plugin = "notes") => notes.db.tenant(plugin, who)
  const texts = async () => (await of(acme).any(allNotes)).map(({ text }) => text)
  const Entry = row(
    Type.Object({ action: Type.String(), actor_id: Type.String(), ip_address: Type.String(), details: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()]) }),
  )
  const entries = (action: string, who = acme) => of(who).any(sql.type(Entry)`SELECT action, actor_id, ip_address, details FROM kernel.activity WHERE action = ${action}`)
  const told: CommittedEvent[] = []

  before(async () => {
    notes = await notesDatabase()
    notes.db.onCommitted(() => {
      throw new Error("a listener that fails")
    })
    notes.db.onCommitted((event) => told.push(event))
  })
  after(() => notes.drop())
  beforeEach(async () => {
    await of(acme).query(sql.type(Nothing)`DELETE FROM notes.notes`)
    told.length = 0
  })

  it("commits entry and event with the change, and tells the event after it", async () => {
    await of(acme).transaction(async (tx) => {
      await tx.query(insert("audited"))
      tx.audit({ action: "note.added", entityType: "note", entityId: "1", details: { text: "audited", api_key: "sk-secret" } })
      tx.publish("notes.changed", { id: "1" }, { userId: "ana" })
      equal(told.length, 0)
    })
    deepEqual(told, [{ plugin: "notes", event: "notes.changed", payload: { id: "1" }, tenantId: acme.tenantId, to: { userId: "ana" } }])
    deepEqual(await entries("note.added"), [{ action: "note.added", actor_id: "ana", ip_address: "203.0.113.7", details: { text: "audited", api_key: "***" } }])
    deepEqual(await entries("note.added", globex), [])
  })

  it("forgets change, entry, event and job when it rolls back", async () => {
    const jobs: string[] = []
    notes.db.setEnqueuer(async (job, store) => {
      jobs.push(job.name)
      await store.executeSql("INSERT INTO notes.notes (tenant_id, text) VALUES ($1, $2)", [acme.tenantId, `job ${job.name}`])
      if (job.name === "bad") throw new Error("no queue")
    })
    await rejects(
      of(acme).transaction(async (tx) => {
        await tx.query(insert("lost"))
        tx.audit({ action: "note.lost", entityType: "note", entityId: "2" })
        tx.publish("notes.lost", {})
        tx.enqueue("good", {})
        tx.enqueue("bad", {})
      }),
      /no queue/,
    )
    deepEqual(jobs, ["good", "bad"])
    deepEqual(told, [])
    deepEqual(await texts(), [])
    deepEqual(await entries("note.lost"), [])
  })

  it("puts its jobs into the queue as the owner, and goes on as the tenant", async () => {
    const seen: unknown[] = []
    notes.db.setEnqueuer(async (_job, store) => {
      seen.push((await store.executeSql("SELECT current_user = session_user AS owner, (SELECT count(*) FROM notes.notes) AS visible")).rows[0])
    })
    await of(acme).transaction(async (tx) => {
      tx.enqueue("look", {})
    })
    deepEqual(seen, [{ owner: true, visible: 1 }])
    deepEqual(await texts(), [])
  })

  it("takes in queries of the same tenant, whichever plugin makes them", async () => {
    await rejects(
      of(acme).transaction(async () => {
        await of(acme, "other").query(insert("joined"))
        deepEqual(await texts(), ["joined"])
        throw new Error("roll back")
      }),
      /roll back/,
    )
    deepEqual(await texts(), [])
  })

  it("refuses other tenants and the kernel at once, naming the place", async () => {
    const error = await of(acme)
      .transaction(function inTheTest() {
        return of(globex).any(allNotes)
      })
      .catch((caught: unknown) => caught as Error)
    ok(error instanceof Error)
    ok(/as app:.*b was made inside a transaction as app:.*a; make it before or after/.test(error.message))
    ok(/inTheTest/.test(error.stack ?? ""))
    await rejects(
      of(acme).transaction(() => notes.db.kernel.any(sql.type(Nothing)`SELECT 1`)),
      /as kernel was made inside a transaction/,
    )
    await rejects(
      notes.db.kernel.transaction(() => of(acme).any(allNotes)),
      /inside a transaction as kernel/,
    )
  })

  it("within another is a savepoint: what it did is undone alone, its entries and events with it", async () => {
    await of(acme).transaction(async (tx) => {
      await tx.query(insert("kept"))
      await rejects(
        of(acme, "other").transaction(async (inner) => {
          await inner.query(insert("undone"))
          inner.audit({ action: "note.undone", entityType: "note", entityId: "3" })
          inner.publish("notes.undone", {})
          throw new Error("not this one")
        }),
        /not this one/,
      )
      await of(acme, "other").transaction(async (inner) => {
        await inner.query(insert("kept too"))
        inner.publish("notes.kept", {})
      })
      equal(told.length, 0)
    })
    deepEqual(await texts(), ["kept", "kept too"])
    deepEqual(
      told.map(({ event }) => event),
      ["notes.kept"],
    )
    deepEqual(await entries("note.undone"), [])
  })

  it("goes on after an error of the database in a savepoint", async () => {
    await of(acme).transaction(async (tx) => {
      await tx.query(insert("one"))
      await rejects(
        of(acme).transaction((inner) => inner.query(insert("one"))),
        UniqueIntegrityConstraintViolationError,
      )
      deepEqual(await tx.any(allNotes), [{ text: "one" }])
      await tx.query(insert("two"))
    })
    deepEqual(await texts(), ["one", "two"])
  })

  it("takes several savepoints at once one after another", async () => {
    await of(acme).transaction(async () => {
      await Promise.all(["a", "b", "c"].map((text) => of(acme).transaction((inner) => inner.query(insert(text)))))
    })
    deepEqual(await texts(), ["a", "b", "c"])
  })

  it("does not commit when a statement failed and nobody minded", async () => {
    await rejects(
      of(acme).transaction(async (tx) => {
        await tx.query(insert("one"))
        await tx.query(insert("one")).catch(() => undefined)
        tx.publish("notes.never", {})
      }),
      /current transaction is aborted|had failed/,
    )
    await rejects(
      of(acme).transaction(async (tx) => {
        await tx.query(insert("one"))
        await tx.query(insert("one")).catch(() => undefined)
      }),
      /had failed/,
    )
    deepEqual(await texts(), [])
    deepEqual(told, [])
  })

  it("waits for queries that nobody awaited", async () => {
    await of(acme).transaction(async (tx) => {
      for (const text of ["a", "b", "c", "d"]) void tx.query(insert(text))
    })
    deepEqual(await texts(), ["a", "b", "c", "d"])
  })

  it("lends no binding to a query that is under way while it ends", async () => {
    for (let round = 0; round < 30; round += 1) {
      const others = Array.from({ length: 6 }, () => of(globex).any(allNotes))
      const strays: Promise<unknown>[] = []
      await of(acme)
        .transaction(async (tx) => {
          strays.push(tx.any(allNotes), of(acme).any(allNotes))
          if (round % 2) throw new Error("roll back")
        })
        .catch(() => undefined)
      for (const seen of await Promise.all(others)) deepEqual(seen, [{ text: "of globex" }])
      for (const seen of await Promise.all(strays)) deepEqual(seen, [])
    }
  })

  it("is over for what outlives it: its own queries fail, others go their way", async () => {
    let late: Promise<unknown> = Promise.resolve()
    let later: Promise<unknown> = Promise.resolve()
    await of(acme).transaction(async (tx) => {
      late = sleep(50).then(() => tx.query(insert("late")))
      later = sleep(50).then(async () => {
        equal(notes.db.inTransaction(), false)
        await of(globex).any(allNotes)
        await of(acme).query(insert("on its own"))
      })
      equal(notes.db.inTransaction(), true)
    })
    await rejects(late, /after its transaction had ended/)
    await later
    deepEqual(await texts(), ["on its own"])
  })

  it("takes nothing more from what outlives its rollback", async () => {
    let late: Promise<unknown> = Promise.resolve()
    await rejects(
      of(acme).transaction(async () => {
        late = sleep(50).then(() => of(acme).query(insert("half")))
        throw new Error("roll back")
      }),
    )
    await rejects(late, /had been rolled back/)
    deepEqual(await texts(), [])
  })

  it("lets an event be announced from inside", async () => {
    await of(acme).transaction(async () => {
      notes.db.announce({ plugin: "notes", event: "notes.said", payload: {}, tenantId: acme.tenantId })
    })
    deepEqual(
      told.map(({ event }) => event),
      ["notes.said"],
    )
  })

  it("is told of once it is stored, though a listener fails", async () => {
    await of(acme).transaction(async (tx) => {
      await tx.query(insert("stored"))
      tx.publish("notes.changed", {})
    })
    equal(told.length, 1)
    ok(notes.logs.some((line) => line.includes("listener to committed events failed")))
  })

  it("carries an error of its work as it is", async () => {
    const mine = Object.assign(new Error("no such file"), { code: "ENOENT" })
    const caught = await of(acme)
      .transaction(async () => {
        throw mine
      })
      .catch((error: unknown) => error)
    equal(caught, mine)
  })
})
