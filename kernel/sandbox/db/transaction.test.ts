import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { isError } from "@plugboard/sdk"
import { Type } from "typebox"
import { asAdministrator, databaseOf, server } from "../../db/administrator.test.ts"
import type { CommittedEvent } from "../../db/database.ts"
import { acme, allNotes, globex } from "../../db/notes.test.ts"
import { embeddedLimits, serverLimits } from "../../db/plugin-limits.ts"
import { Jobs } from "../../plugins/jobs.ts"
import { openPluginDb, type PluginDb } from "./open.ts"
import { type Terms, termsDatabase } from "./terms.test.ts"
import type { PluginTx } from "./transaction.ts"

const nothing = { audit: [], events: [], jobs: [] }
const limits = server ? serverLimits : embeddedLimits
const insert = (tx: PluginTx, name: string) => tx.query("INSERT INTO glossary.terms (name, meaning) VALUES ($1, '')", [name])
const expired = (error: unknown) => isError(error, "kernel.transaction_expired")

describe("a transaction of a sandboxed plugin", function () {
  this.timeout(60_000)
  let terms: Terms
  /** Each test has one of its own, that has not been paused yet. */
  let plugin: PluginDb
  const told: CommittedEvent[] = []

  before(async () => {
    terms = await termsDatabase()
    terms.db.onCommitted((event) => told.push(event))
  })
  after(() => terms.drop())
  beforeEach(async () => {
    plugin = await openPluginDb(terms.rooms, "glossary")
    told.length = 0
    for (const caller of [acme, globex]) await plugin.query(caller, "DELETE FROM glossary.terms", [])
  })
  afterEach(() => plugin.close())

  it("keeps what it wrote when it commits, and nothing when it rolls back", async () => {
    const kept = await plugin.transaction(acme)
    await insert(kept, "kept")
    deepEqual((await kept.query("SELECT name FROM glossary.terms", [])).rows, [{ name: "kept" }])
    await kept.commit(nothing)
    const lost = await plugin.transaction(acme)
    await insert(lost, "lost")
    await lost.rollback()
    await lost.rollback()
    deepEqual(await terms.names(acme), ["kept"])
    deepEqual(await terms.names(globex), [])
    await rejects(insert(kept, "late"), /has been committed/)
    await rejects(kept.commit(nothing), /has been committed/)
    await rejects(insert(lost, "late"), /has been rolled back/)
  })

  it("takes the gate with it", async () => {
    const tx = await plugin.transaction(acme)
    for (const text of ["COMMIT", "RESET ROLE", "SELECT set_config('role', 'none', false)", "SELECT text FROM notes.notes"])
      await rejects(tx.query(text, []), (error) => isError(error, "kernel.sql_refused"))
    await insert(tx, "after refusals")
    await tx.commit(nothing)
    deepEqual(await terms.names(acme), ["after refusals"])
  })

  it("takes along audit entries, events and jobs, as the caller and the tenant that the gateway knows", async () => {
    const jobs: object[] = []
    terms.db.setEnqueuer(async ({ plugin: of, name, caller, data }, store) => {
      await store.executeSql("INSERT INTO notes.notes (tenant_id, text) VALUES ($1::uuid, $2)", [caller.tenantId, `job ${name}`])
      jobs.push({ of, name, tenantId: caller.tenantId, data })
    })
    const tx = await plugin.transaction(acme)
    await insert(tx, "SLA")
    await tx.commit({
      audit: [{ action: "term.added", entityType: "term", entityId: "SLA", details: { api_key: "sk-secret" } }],
      events: [{ event: "glossary.changed", payload: { name: "SLA" }, to: { userId: "ana" } }],
      jobs: [{ name: "index", data: { name: "SLA" } }],
    })
    deepEqual(told, [{ plugin: "glossary", event: "glossary.changed", payload: { name: "SLA" }, tenantId: acme.tenantId, to: { userId: "ana" } }])
    deepEqual(jobs, [{ of: "glossary", name: "index", tenantId: acme.tenantId, data: { name: "SLA" } }])
    const { rows } = await terms.db.executeSql("SELECT tenant_id::text AS tenant, actor_id AS actor, plugin, details FROM kernel.activity WHERE action = $1", ["term.added"])
    deepEqual(rows, [{ tenant: acme.tenantId, actor: "ana", plugin: "glossary", details: { api_key: "***" } }])
    deepEqual(await terms.db.tenant("notes", acme).any(allNotes), [{ text: "job index" }, { text: "of acme" }])
  })

  it("puts its jobs into the queue, also while the queue starts", async () => {
    const job = { plugin: "glossary", name: "index", decl: { data: Type.Object({}) }, run: async () => undefined }
    const jobs = new Jobs(terms.db, terms.rooms.log, async () => undefined)
    terms.db.setEnqueuer(
      ({ caller, data }, store) => jobs.enqueue(job, caller, data, {}, store),
      () => jobs.settled(),
    )
    try {
      jobs.use([job])
      for (const end of ["commit", "rollback"] as const) {
        const tx = await plugin.transaction(acme)
        await insert(tx, end)
        if (end === "commit") await tx.commit({ ...nothing, jobs: [{ name: "index", data: { name: end } }] })
        else await tx.rollback()
      }
      const { rows } = await terms.db.executeSql("SELECT data->>'job' AS job, data->'caller'->>'tenantId' AS tenant, data->'data' AS data FROM pgboss.job WHERE name = $1", [
        "plugboard",
      ])
      deepEqual(rows, [{ job: "glossary.index", tenant: acme.tenantId, data: { name: "commit" } }])
    } finally {
      await jobs.stop()
    }
  })

  it("takes nothing along that it does not keep", async () => {
    terms.db.setEnqueuer(async () => {
      throw new Error("no queue")
    })
    const tx = await plugin.transaction(acme)
    await insert(tx, "lost")
    const taken = {
      audit: [{ action: "term.lost", entityType: "term", entityId: "1" }],
      events: [{ event: "glossary.changed", payload: {} }],
      jobs: [{ name: "index", data: {} }],
    }
    await rejects(tx.commit(taken), /no queue/)
    const failed = await plugin.transaction(acme)
    await rejects(failed.query("SELECT 1 / 0 AS x", []), /division/)
    await rejects(failed.commit({ ...taken, jobs: [] }))
    deepEqual(await terms.names(acme), [])
    deepEqual(told, [])
    deepEqual((await terms.db.executeSql("SELECT FROM kernel.activity WHERE action = $1", ["term.lost"])).rows, [])
  })

  it("that waits too long for its next statement is rolled back, and the plugin waits before its next one, each time longer", async () => {
    const pauses: number[] = []
    for (let round = 0; round < 2; round += 1) {
      const tx = await plugin.transaction(acme)
      await insert(tx, "idle")
      await sleep(limits.idleMs + 300)
      await rejects(insert(tx, "late"), expired)
      await rejects(tx.commit(nothing), expired)
      const refused = (await plugin.transaction(acme).catch((error: unknown) => error)) as { failure: { name: string; retryAfterMs: number } }
      equal(refused.failure.name, "kernel.database_paused")
      pauses.push(refused.failure.retryAfterMs)
      await sleep(refused.failure.retryAfterMs + 20)
    }
    ok((pauses[0] ?? 0) <= 1_000 && (pauses[1] ?? 0) > 1_000 && (pauses[1] ?? 0) <= 2_000, String(pauses))
    deepEqual(await terms.names(acme), [])
    ok(terms.logs.some((line) => line.includes("took too long") && line.includes('"plugin":"glossary"')))
  })

  it("that goes on for too long is rolled back between two statements", async () => {
    const tx = await plugin.transaction(acme)
    const startedAt = performance.now()
    await rejects(async () => {
      for (let round = 0; ; round += 1) {
        await insert(tx, `round ${round}`)
        await sleep(20)
      }
    }, expired)
    const tookMs = performance.now() - startedAt
    ok(tookMs >= limits.transactionMs - 50, `${tookMs} ms`)
    deepEqual(await terms.names(acme), [])
  })

  it("waits its turn: no more than the limit at once, and the third one after the first", async () => {
    const order: string[] = []
    const work = async (name: string) => {
      const tx = await plugin.transaction(acme)
      order.push(`${name} begins`)
      await insert(tx, name)
      await sleep(50)
      await tx.commit(nothing)
      order.push(`${name} ends`)
    }
    await Promise.all(["a", "b", "c"].map(work))
    let open = 0
    for (const step of order) {
      open += step.endsWith("begins") ? 1 : -1
      ok(open <= limits.atOnce, order.join(", "))
    }
    deepEqual(await terms.names(acme), ["a", "b", "c"])
  })

  it("keeps others from the database for no longer than its limits", async () => {
    const tx = await plugin.transaction(acme)
    await insert(tx, "held")
    // Nobody ends it, and they are answered.
    await Promise.all(Array.from({ length: 20 }, () => terms.db.tenant("notes", globex).any(allNotes)))
    await tx.rollback()
  })

  it("ends with the database's own error when its connection is lost", async () => {
    const tx = await plugin.transaction(acme)
    await insert(tx, "lost")
    const busy = tx.query(endless, [])
    await rejects(busy, (error) => isError(error, "kernel.database_unavailable"))
    await tx.rollback()
    await rejects(plugin.transaction(acme), (error) => isError(error, "kernel.database_paused"))
    await rejects(insert(tx, "late"), /rolled back|lost|too long|expired/)
    // On the embedded database that was a restart of its thread.
    for (let attempt = 0; attempt < 5 && (await terms.names(acme).catch(() => null)) === null; attempt += 1) await sleep(200)
    deepEqual(await terms.names(acme), [])
    deepEqual(await terms.db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
  })

  if (server) {
    it("is lost with a connection that the server ends, and the next one has another", async () => {
      const tx = await plugin.transaction(acme)
      await insert(tx, "lost")
      await asAdministrator((client) =>
        client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE '%\\_x\\_glossary'", [
          databaseOf(terms.notes.scratch.databaseUrl),
        ]),
      )
      await rejects(async () => {
        await insert(tx, "late")
        await tx.commit(nothing)
      })
      await sleep(100)
      const next = await plugin.transaction(acme)
      await insert(next, "next")
      await next.commit(nothing)
      deepEqual(await terms.names(acme), ["next"])
    })
  }

  it("is rolled back when its plugin is taken down", async () => {
    const tx = await plugin.transaction(acme)
    await insert(tx, "open")
    await plugin.close()
    await rejects(insert(tx, "late"), /rolled back/)
    deepEqual(await terms.names(acme), [])
  })
})

describe("a statement of a sandboxed plugin", function () {
  this.timeout(60_000)
  let terms: Terms
  before(async () => {
    terms = await termsDatabase()
  })
  after(() => terms.drop())

  it("ends at its limit, and others go on", async () => {
    const slow = terms.plugin.query(acme, endless, [])
    const others = Array.from({ length: 10 }, () => terms.db.tenant("notes", globex).any(allNotes))
    await rejects(slow, (error) => isError(error, "kernel.database_unavailable"))
    for (const seen of await Promise.allSettled(others)) if (seen.status === "fulfilled") deepEqual(seen.value, [{ text: "of globex" }])
    await rejects(terms.plugin.query(acme, "SELECT 1 AS one", []), (error) => isError(error, "kernel.database_paused"))
    deepEqual(await terms.db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
    await sleep(1_100)
    deepEqual((await terms.plugin.query(acme, "SELECT 1 AS one", [])).rows, [{ one: 1 }])
  })

  if (!server) {
    it("that takes all of the embedded database's memory fails, gives it back, and is not tried again at once", async () => {
      const plugin = await openPluginDb(terms.rooms, "glossary")
      const hoarding = "SELECT length(array_to_string(array_agg(repeat('x', 10000)), '')) AS n FROM generate_series(1, 10000) AS a(i), generate_series(1, 20) AS b(j)"
      const before = process.memoryUsage.rss()
      await rejects(plugin.query(acme, hoarding, []), (error) => isError(error, "kernel.database_unavailable"))
      await rejects(plugin.query(acme, "SELECT 1 AS one", []), (error) => isError(error, "kernel.database_paused"))
      await sleep(2_000)
      deepEqual(await terms.db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
      ok(process.memoryUsage.rss() - before < 500e6)
      await plugin.close()
    })
  }

  it("waits its turn with others of its plugin, and too many are told to come back", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 400 }, () => terms.plugin.query(acme, "SELECT 1 AS one", [])))
    const busy = outcomes.filter((outcome) => outcome.status === "rejected" && isError(outcome.reason, "kernel.overloaded"))
    ok(busy.length > 0 && busy.length <= 200, String(busy.length))
    deepEqual(await terms.db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
  })
})

/** Passes the gate, and keeps either database busy for minutes with little memory: a plugin may not spill much to the disk. */
const endless = `SELECT count(*) AS n FROM ${["a", "b", "c", "d", "e"].map((name) => `generate_series(1, 500) AS ${name}(i)`).join(", ")} WHERE a.i + b.i + c.i + d.i + e.i < 0`
