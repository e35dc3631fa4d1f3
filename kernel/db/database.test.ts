import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Caller, isError, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { createLog, Redactor } from "../log.ts"
import { kernelMigrations } from "../plugins/discover.ts"
import type { CommittedEvent, Database } from "./database.ts"
import { openDatabase } from "./open.ts"
import { type Scratch, scratchDatabase } from "./scratch.ts"

const kernelGlobals = ["tenants", "members", "api_keys", "pairings", "plugins", "consents", "outbox", "migrations"]
const Note = Type.Object({ text: Type.String() })
const Nothing = Type.Object({})
const caller = (tenantId: string): Caller => ({ tenantId, tenantSlug: "", userId: "ana", role: "admin", scopes: [], locale: "en", via: "system", address: "203.0.113.7" })
const acme = caller("0193a5b0-7000-7000-8000-00000000000a")
const globex = caller("0193a5b0-7000-7000-8000-00000000000b")
const allNotes = sql.type(row(Note))`SELECT text FROM notes.notes ORDER BY text`
const insert = (text: string) => sql.type(row(Nothing))`INSERT INTO notes.notes (text) VALUES (${text})`

describe("the database", function () {
  this.timeout(30_000)
  let scratch: Scratch
  let folder: string
  let db: Database
  const log = createLog({ level: "silent", redactor: new Redactor(), write: () => undefined })
  const open = (statementTimeoutMs = 10_000) =>
    openDatabase({ config: { databaseUrl: scratch.databaseUrl, dataDir: scratch.dataDir, poolSize: 4, statementTimeoutMs }, log, checkRows: true })
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  const notes = () => ({ id: "notes", folder, globalTables: [] })

  before(async () => {
    scratch = await scratchDatabase()
    folder = mkdtempSync(join(tmpdir(), "plugboard-notes-"))
    mkdirSync(folder, { recursive: true })
    write("0001_notes.sql", "CREATE TABLE notes.notes (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), text text NOT NULL UNIQUE);\nSELECT kernel.protect('notes.notes');\n")
    db = await open()
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    await db.migrate(notes())
    await db.tenant("notes", acme).query(insert("of acme"))
    await db.tenant("notes", globex).query(insert("of globex"))
  })
  after(async () => {
    await db.close()
    await scratch.drop()
    rmSync(folder, { recursive: true })
  })

  it("shows a tenant its own rows, with no WHERE in the text", async () => {
    deepEqual(await db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
    deepEqual(await db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
  })

  it("shows nothing while no tenant is bound, and takes nothing", async () => {
    deepEqual(await db.unbound.any(allNotes), [])
    await rejects(db.unbound.query(insert("of nobody")))
  })

  it("refuses a row of another tenant", async () => {
    await rejects(db.tenant("notes", acme).query(sql.type(row(Nothing))`INSERT INTO notes.notes (tenant_id, text) VALUES (${globex.tenantId}, 'smuggled')`), /row-level security/)
  })

  it("keeps tenants apart when their queries interleave", async () => {
    const seen = await Promise.all(Array.from({ length: 200 }, (_, index) => db.tenant("notes", index % 2 ? acme : globex).any(allNotes)))
    for (const [index, rows] of seen.entries()) deepEqual(rows, [{ text: index % 2 ? "of acme" : "of globex" }])
  })

  it("binds anew after a rollback, which reverts what was bound inside it", async () => {
    for (let round = 0; round < 8; round += 1) {
      await rejects(
        db.tenant("notes", acme).transaction(async (tx) => {
          await tx.any(allNotes)
          throw new Error("changed my mind")
        }),
        /changed my mind/,
      )
      deepEqual(await db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
      deepEqual(await db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
    }
  })

  it("binds anew after a query that failed", async () => {
    await rejects(db.tenant("notes", acme).query(insert("of acme")), /[Uu]nique|duplicate/)
    deepEqual(await db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
  })

  it("commits entry and event with the change, and tells the event after it", async () => {
    const told: CommittedEvent[] = []
    db.onCommitted((event) => told.push(event))
    await db.tenant("notes", acme).transaction(async (tx) => {
      await tx.query(insert("audited"))
      tx.audit({ action: "note.added", entityType: "note", entityId: "1", details: { text: "audited", api_key: "sk-secret" } })
      tx.publish("notes.changed", { id: "1" })
      equal(told.length, 0)
    })
    equal(told.filter((event) => event.event === "notes.changed").length, 1)
    const Entry = Type.Object({ action: Type.String(), actor_id: Type.String(), ip_address: Type.String(), details: Type.Object({ text: Type.String(), api_key: Type.String() }) })
    const entries = await db.tenant("notes", acme).any(sql.type(row(Entry))`SELECT action, actor_id, ip_address, details FROM kernel.activity WHERE action = 'note.added'`)
    deepEqual(entries, [{ action: "note.added", actor_id: "ana", ip_address: "203.0.113.7", details: { text: "audited", api_key: "***" } }])
    deepEqual(await db.tenant("notes", globex).any(sql.type(row(Entry))`SELECT action, actor_id, ip_address, details FROM kernel.activity`), [])
  })

  it("forgets entry and event with a rollback", async () => {
    let told = 0
    db.onCommitted(({ event }) => {
      if (event === "notes.lost") told += 1
    })
    await rejects(
      db.tenant("notes", acme).transaction(async (tx) => {
        tx.audit({ action: "note.lost", entityType: "note", entityId: "2" })
        tx.publish("notes.lost", {})
        throw new Error("no")
      }),
    )
    equal(told, 0)
    const Count = Type.Object({ count: Type.Integer() })
    equal((await db.tenant("notes", acme).one(sql.type(row(Count))`SELECT count(*) AS count FROM kernel.activity WHERE action = 'note.lost'`)).count, 0)
  })

  it("lets nobody change the audit log", async () => {
    await rejects(db.tenant("notes", acme).query(sql.type(row(Nothing))`DELETE FROM kernel.activity`), /permission denied/)
    await rejects(db.tenant("notes", acme).query(sql.type(row(Nothing))`UPDATE kernel.activity SET action = 'other'`), /permission denied/)
  })

  it("keeps the kernel's tables from plugins", async () => {
    await rejects(db.tenant("notes", acme).any(sql.type(row(Nothing))`SELECT key_hash FROM kernel.api_keys`), /permission denied/)
  })

  it("lets queries of the same tenant join a transaction, and refuses others at once", async () => {
    await rejects(
      db.tenant("notes", acme).transaction(async () => {
        await db.tenant("other", acme).query(insert("joined"))
        throw new Error("roll back")
      }),
      /roll back/,
    )
    equal(
      (await db.tenant("notes", acme).any(allNotes)).some(({ text }) => text === "joined"),
      false,
    )
    await rejects(
      db.tenant("notes", acme).transaction(() => db.tenant("notes", globex).any(allNotes)),
      /inside a transaction as app:/,
    )
    await rejects(
      db.tenant("notes", acme).transaction(() => db.kernel.any(sql.type(row(Nothing))`SELECT 1`)),
      /inside a transaction/,
    )
  })

  it("gives times, counts and JSON as the wire has them", async () => {
    const Row = Type.Object({ at: Type.String(), big: Type.Integer(), money: Type.Number(), doc: Type.Object({ a: Type.Integer() }) })
    const made = await db.tenant("notes", acme).one(sql.type(row(Row))`
      SELECT '2026-03-24T10:00:00.5+02:00'::timestamptz AS at, 12345678901::int8 AS big, 1.25::numeric AS money, '{"a":1}'::jsonb AS doc`)
    deepEqual(made, { at: "2026-03-24T08:00:00.500Z", big: 12_345_678_901, money: 1.25, doc: { a: 1 } })
  })

  it("applies nothing twice, and refuses a file that was changed", async () => {
    const before = db.statements.count
    deepEqual(await db.migrate(notes()), { applied: [] })
    equal(db.statements.count - before, 0)
    const changed = mkdtempSync(join(tmpdir(), "plugboard-changed-"))
    writeFileSync(join(changed, "0001_notes.sql"), "SELECT 1;")
    await rejects(db.migrate({ id: "notes", folder: changed, globalTables: [] }), (error) => isError(error, "kernel.migration_failed"))
    rmSync(changed, { recursive: true })
  })

  it("rolls a failed migration back whole", async () => {
    write("0002_half.sql", "ALTER TABLE notes.notes ADD COLUMN half text;\nALTER TABLE notes.nowhere ADD COLUMN half text;\n")
    await rejects(db.migrate(notes()), (error) => isError(error, "kernel.migration_failed") && match(String(error.failure.params.reason), /nowhere/) === undefined)
    rmSync(join(folder, "0002_half.sql"))
    await rejects(db.tenant("notes", acme).any(sql.type(row(Nothing))`SELECT half FROM notes.notes`), /half/)
  })

  it("refuses a table that tenants would share", async () => {
    write("0002_shared.sql", "CREATE TABLE notes.shared (id int);\n")
    await rejects(
      db.migrate(notes()),
      (error) => isError(error, "kernel.migration_failed") && /notes\.shared: it has no column tenant_id/.test(String(error.failure.params.reason)),
    )
    write("0002_shared.sql", "CREATE TABLE notes.shared (tenant_id uuid);\n")
    await rejects(db.migrate(notes()), (error) => isError(error, "kernel.migration_failed") && /not enabled/.test(String(error.failure.params.reason)))
    rmSync(join(folder, "0002_shared.sql"))
  })

  it("lets a back-fill of a migration see the rows of all tenants", async () => {
    write("0003_filled.sql", "ALTER TABLE notes.notes ADD COLUMN filled boolean;\nUPDATE notes.notes SET filled = true;\n")
    await db.migrate(notes())
    const Filled = Type.Object({ filled: Type.Boolean() })
    for (const who of [acme, globex]) for (const { filled } of await db.tenant("notes", who).any(sql.type(row(Filled))`SELECT filled FROM notes.notes`)) equal(filled, true)
  })

  it("bounds who waits for a connection, and serves on", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 5_000 }, () => db.tenant("notes", acme).any(sql.type(row(Nothing))`SELECT 1`)))
    const refused = outcomes.filter((outcome) => outcome.status === "rejected")
    ok(refused.length > 0)
    for (const outcome of refused) ok(isError(outcome.reason, "kernel.database_unavailable"))
    equal(await db.ping(), true)
  })

  it("ends a statement past its limit as an outage, and serves on", async () => {
    await db.close()
    db = await open(500)
    await rejects(db.tenant("notes", acme).any(sql.type(row(Nothing))`SELECT count(*) FROM generate_series(1, 20000) a, generate_series(1, 20000) b`), (error) =>
      isError(error, "kernel.database_unavailable"),
    )
    const deadline = performance.now() + 10_000
    while (!(await db.ping()) && performance.now() < deadline);
    equal((await db.tenant("notes", acme).any(allNotes)).length > 0, true)
    deepEqual(await db.tenant("notes", globex).any(allNotes), [{ text: "of globex" }])
  })
})
