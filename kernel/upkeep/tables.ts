import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Run } from "../db/pool.ts"
import { schemaOf } from "../db/schema.ts"
import type { TableEntry } from "./backup-file.ts"

export type Applied = { source: string; file: string; checksum: string }

export async function appliedMigrations(run: Run): Promise<Applied[]> {
  const AppliedRow = row(Type.Object({ source: Type.String(), file: Type.String(), checksum: Type.String() }))
  const { rows } = await run("owner", sql.type(AppliedRow)`SELECT source, file, checksum FROM kernel.migrations ORDER BY source, file`)
  return rows
}

/** Rows that are nobody's data: which migrations there are is found out, and events are kept for minutes. */
const leftOut = ["kernel.migrations", "kernel.outbox"]

/** Tables of these sources with the columns that can be written. Jobs that wait in the queue are not among them. */
export async function tablesOf(run: Run, sources: readonly string[]): Promise<TableEntry[]> {
  const Table = row(Type.Object({ schema: Type.String(), name: Type.String(), columns: Type.Array(Type.String()), json: Type.Array(Type.String()) }))
  const { rows } = await run(
    "owner",
    sql.type(Table)`
      SELECT n.nspname::text AS schema, c.relname::text AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
        coalesce(array_agg(a.attname::text) FILTER (WHERE a.atttypid IN ('json'::regtype, 'jsonb'::regtype)), '{}') AS json
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE c.relkind = 'r' AND n.nspname = ANY(${sql.array(sources.map(schemaOf), "text")}) AND NOT (n.nspname || '.' || c.relname = ANY(${sql.array(leftOut, "text")}))
      GROUP BY n.nspname, c.relname ORDER BY n.nspname <> 'kernel', n.nspname, c.relname`,
  )
  return rows
}
