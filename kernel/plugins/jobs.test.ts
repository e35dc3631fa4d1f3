import { deepEqual, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { Type } from "typebox"
import { acme, type Notes, notesDatabase } from "../db/notes.test.ts"
import { createLog, Redactor } from "../log.ts"
import { Jobs } from "./jobs.ts"

describe("the job queue", function () {
  this.timeout(60_000)
  let notes: Notes
  let jobs: Jobs
  const ran: object[] = []
  const job = { plugin: "notes", name: "index", decl: { data: Type.Object({}) }, run: async (data: object) => void ran.push(data) }
  before(async () => {
    notes = await notesDatabase()
    jobs = new Jobs(notes.db, createLog({ level: "info", redactor: new Redactor(), write: () => undefined }), async () => undefined)
    notes.db.setEnqueuer(
      async ({ name, caller, data }, store) => {
        if (name === "unknown") throw new Error("no such job")
        await jobs.enqueue(job, caller, data, {}, store)
      },
      () => jobs.settled(),
    )
    jobs.use([job])
  })
  after(async () => {
    await jobs.stop()
    await notes.drop()
  })

  it("goes on when the transaction that needed it first was rolled back, and its job with it", async () => {
    const of = notes.db.tenant("notes", acme)
    await rejects(
      of.transaction(async (tx) => {
        tx.enqueue("index", { n: 1 })
        tx.enqueue("unknown", {})
      }),
      /no such job/,
    )
    await of.transaction(async (tx) => tx.enqueue("index", { n: 2 }))
    while (ran.length === 0) await sleep(50)
    deepEqual(ran, [{ n: 2 }])
  })
})
