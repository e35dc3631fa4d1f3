import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Caller } from "@plugboard/sdk"
import type { Database } from "../../db/database.ts"
import { type Notes, notesDatabase } from "../../db/notes.test.ts"
import { KeyRing } from "../../key-ring.ts"
import { createLog, Redactor } from "../../log.ts"
import { createSecrets, type SecretBox } from "../../secrets.ts"
import { migratePlugin } from "./migrate.ts"
import { openPluginDb, type PluginDb } from "./open.ts"

// What the tests of this room share: a sandboxed plugin `glossary` with a table of terms, another one beside it, and a bundled plugin's notes.

/** Of a node that has this one key. */
export function secretsOf(key: Buffer) {
  return createSecrets(new KeyRing({ file: undefined, read: () => [key] }), new Redactor())
}
export const secrets = secretsOf(randomBytes(32))

export interface Terms {
  readonly notes: Notes
  readonly db: Database
  readonly plugin: PluginDb
  readonly logs: string[]
  readonly rooms: { db: Database; config: { databaseUrl: string | undefined }; secrets: SecretBox; log: ReturnType<typeof createLog> }
  migrate(id: string, files: Record<string, string>): Promise<void>
  /** The same by another node. */
  migrateOn(db: Database, id: string, files: Record<string, string>): Promise<void>
  add(caller: Caller, name: string, meaning?: string): Promise<void>
  names(caller: Caller): Promise<unknown[]>
  drop(): Promise<void>
}

export const termsTable =
  "CREATE TABLE glossary.terms (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), name text NOT NULL, meaning text NOT NULL, UNIQUE (tenant_id, name));"

export async function termsDatabase(changes: { databaseUrl?: string } = {}): Promise<Terms> {
  const notes = await notesDatabase(changes)
  const folder = mkdtempSync(join(tmpdir(), "plugboard-terms-"))
  const logs: string[] = []
  const log = createLog({ level: "debug", redactor: new Redactor(), write: (line) => logs.push(line) })
  const rooms = { db: notes.db, config: { databaseUrl: changes.databaseUrl ?? notes.scratch.databaseUrl }, secrets, log }
  async function migrateOn(db: Database, id: string, files: Record<string, string>): Promise<void> {
    const migrations = mkdtempSync(join(folder, id))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(migrations, name), text)
    await migratePlugin({ db }, { manifest: { id, version: "1.0.0", sdk: "^1.0.0" }, migrations })
  }
  const migrate: Terms["migrate"] = (id, files) => migrateOn(notes.db, id, files)
  await migrate("glossary", { "0001_terms.sql": termsTable })
  await migrate("other-one", { "0001_secrets.sql": "CREATE TABLE other_one.secrets (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), text text NOT NULL);" })
  const plugin = await openPluginDb(rooms, "glossary")
  return {
    notes,
    db: notes.db,
    plugin,
    logs,
    rooms,
    migrate,
    migrateOn,
    async add(caller, name, meaning = "") {
      await plugin.query(caller, "INSERT INTO glossary.terms (name, meaning) VALUES ($1, $2)", [name, meaning])
    },
    async names(caller) {
      const { rows } = await plugin.query(caller, "SELECT name FROM glossary.terms ORDER BY name", [])
      return rows.map(({ name }) => name)
    },
    async drop() {
      await plugin.close()
      await notes.drop()
      rmSync(folder, { recursive: true })
    },
  }
}
