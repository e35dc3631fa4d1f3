import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Caller, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { createLog, Redactor } from "../log.ts"
import { kernelMigrations } from "../plugins/discover.ts"
import type { Database } from "./database.ts"
import { kernelGlobals } from "./kernel-tables.ts"
import { openDatabase } from "./open.ts"
import { type Scratch, scratchDatabase } from "./scratch.ts"

// What the tests of this room share: a plugin's table of notes, and two tenants that have some.

export const kernelSource = {
  id: "kernel",
  folder: kernelMigrations(),
  globalTables: kernelGlobals,
}
export const Nothing = row(Type.Object({}))
export const acme = callerOf("0193a5b0-7000-7000-8000-00000000000a")
export const globex = callerOf("0193a5b0-7000-7000-8000-00000000000b")
export const allNotes = sql.type(row(Type.Object({ text: Type.String() })))`SELECT text FROM notes.notes ORDER BY text`
export const insert = (text: string) => sql.type(Nothing)`INSERT INTO notes.notes (text) VALUES (${text})`
export const sleepFor = (seconds: number) => sql.type(Nothing)`SELECT pg_sleep(${seconds})`
/** Keeps either database busy for minutes, unless it is stopped. */
export const endless = sql.type(Nothing)`SELECT count(*) FROM generate_series(1, 60000) a, generate_series(1, 60000) b`

export function callerOf(tenantId: string): Caller {
  return { tenantId, tenantSlug: "", userId: "ana", role: "admin", scopes: [], locale: "en", via: "system", address: "203.0.113.7" }
}

export interface Notes {
  readonly scratch: Scratch
  readonly db: Database
  readonly logs: string[]
  /** Adds a file to the plugin's migrations, applies it, and takes it away again when it fails. */
  migrate(name: string, text: string): Promise<void>
  open(changes?: { databaseUrl?: string; statementTimeoutMs?: number; poolSize?: number }): Promise<Database>
  /** Another database in place of `db`, which is closed. */
  reopen(changes?: { databaseUrl?: string; statementTimeoutMs?: number; poolSize?: number }): Promise<void>
  drop(): Promise<void>
}

/** A fresh database with the kernel's tables and `notes.notes`; one note each of acme and globex. */
export async function notesDatabase(changes: { databaseUrl?: string } = {}): Promise<Notes> {
  const scratch = await scratchDatabase()
  const folder = mkdtempSync(join(tmpdir(), "plugboard-notes-"))
  const logs: string[] = []
  const log = createLog({ level: "debug", redactor: new Redactor(), write: (line) => logs.push(line) })
  const open: Notes["open"] = (more) =>
    openDatabase({ config: { databaseUrl: scratch.databaseUrl, dataDir: scratch.dataDir, poolSize: 4, statementTimeoutMs: 10_000, ...changes, ...more }, log, checkRows: true })
  let db = await open()
  writeFileSync(
    join(folder, "0001_notes.sql"),
    "CREATE TABLE notes.notes (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), text text NOT NULL UNIQUE);\nSELECT kernel.protect('notes.notes');\n",
  )
  const migrateAll = async () => {
    await db.migrate(kernelSource)
    await db.migrate({ id: "notes", folder, globalTables: [] })
  }
  await migrateAll()
  await db.tenant("notes", acme).query(insert("of acme"))
  await db.tenant("notes", globex).query(insert("of globex"))
  return {
    scratch,
    logs,
    get db() {
      return db
    },
    async migrate(name, text) {
      writeFileSync(join(folder, name), text)
      try {
        await db.migrate({ id: "notes", folder, globalTables: [] })
      } catch (error) {
        rmSync(join(folder, name))
        throw error
      }
    },
    open,
    async reopen(more) {
      await db.close()
      db = await open(more)
      await migrateAll()
    },
    async drop() {
      await db.close()
      await scratch.drop()
      rmSync(folder, { recursive: true })
    },
  }
}
