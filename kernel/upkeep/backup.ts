import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { unlimitedName } from "../db/binding.ts"
import type { Database } from "../db/database.ts"
import type { Run } from "../db/pool.ts"
import type { KeyRing } from "../key-ring.ts"
import { bundledPlugins } from "../plugins/discover.ts"
import { version } from "../version.ts"
import { type BackupHeader, type Entry, type TableEntry, writeBackup } from "./backup-file.ts"
import { appliedMigrations, tablesOf } from "./tables.ts"

const Nothing = row(Type.Object({}))

export interface BackupDone {
  tables: number
  rows: number
  /** Sources whose package is gone: nobody could make their tables again. */
  left: string[]
}

/** Everything as it was at one moment, into a file: one transaction that sees nothing of what others do meanwhile. */
export async function backUp(db: Database, path: string, ring: KeyRing, withKey: boolean): Promise<BackupDone> {
  const bundled = (await bundledPlugins()).map(({ manifest }) => manifest.id)
  return db.inside.pool.transaction(async ({ run }) => {
    // Before anything else is asked: the first question takes the snapshot.
    await run("owner", sql.type(Nothing)`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`, "")
    await run("owner", sql.type(Nothing)`SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`, "")
    const { rows } = await run("owner", sql.type(row(Type.Object({ id: Type.String() })))`SELECT DISTINCT plugin_id AS id FROM kernel.packages`)
    const known = ["kernel", ...bundled, ...rows.map(({ id }) => id)]
    const applied = await appliedMigrations(run)
    const sources = [...new Set(applied.map(({ source }) => source))]
    const header: BackupHeader = {
      format: "plugboard-backup",
      version: 1,
      gateway: version,
      made_at: new Date().toISOString(),
      database: db.kind,
      migrations: applied.filter(({ source }) => known.includes(source)),
      encryption_keys: ring.keys.map(({ id }) => id),
      ...(withKey && { secret_keys: ring.keys.map(({ bytes }) => bytes.toString("hex")) }),
    }
    const tables = await tablesOf(
      run,
      sources.filter((source) => known.includes(source)),
    )
    return { ...(await writeBackup(path, header, rowsOf(run, tables))), left: sources.filter((source) => !known.includes(source)) }
  })
}

/** What is in memory at a time. Packages are large. */
const fetchOf = ({ schema, name }: TableEntry) => (schema === "kernel" && name === "packages" ? sql.fragment`FETCH FORWARD 1` : sql.fragment`FETCH FORWARD 200`)

async function* rowsOf(run: Run, tables: readonly TableEntry[]): AsyncGenerator<Entry> {
  const Line = row(Type.Object({ line: Type.String() }))
  for (const table of tables) {
    yield { table }
    const texts = table.json.map((column) => sql.fragment`${sql.literalValue(column)}, ${sql.identifier(["found", column])}::text`)
    const whole = texts.length === 0 ? sql.fragment`to_jsonb(found)` : sql.fragment`to_jsonb(found) || jsonb_build_object(${sql.join(texts, sql.fragment`, `)})`
    await run("owner", sql.type(Nothing)`DECLARE backup NO SCROLL CURSOR FOR SELECT (${whole})::text AS line FROM ${sql.identifier([table.schema, table.name])} AS found`, "")
    for (;;) {
      const { rows } = await run("owner", sql.type(Line)`${fetchOf(table)} FROM backup`, unlimitedName)
      for (const { line } of rows) yield { row: line }
      if (rows.length === 0) break
    }
    await run("owner", sql.type(Nothing)`CLOSE backup`, "")
  }
}
