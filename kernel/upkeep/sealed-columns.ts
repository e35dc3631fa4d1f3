import { type Manifest, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { unlimitedName } from "../db/binding.ts"
import type { Connection, Pool, Run } from "../db/pool.ts"
import { schemaOf } from "../db/schema.ts"
import { openSettings } from "../packages/settings.ts"
import type { Place } from "../secrets.ts"
import { masterTenantId } from "../tenancy.ts"

type Row = Readonly<Record<string, unknown>>

/** A column that may hold sealed values, in whatever text. */
export interface SealedColumn {
  schema: string
  table: string
  column: string
  type: string
  /** Of 8 KiB each, when they were counted. */
  pages: number
  /** Where a value of the row may belong that does not say so itself: the first form of sealed values did not. */
  places(row: Row): Place[]
}

const Column = row(Type.Object({ schema: Type.String(), table: Type.String(), column: Type.String(), type: Type.String(), pages: Type.Integer() }))

/** Columns of plugins that keep secrets, and of schemas whose plugin is gone; the kernel's own are known. */
export async function sealedColumns(run: Run, manifests: readonly Manifest[]): Promise<SealedColumn[]> {
  const owners = new Map(manifests.map((manifest) => [schemaOf(manifest.id), manifest]))
  const { rows } = await run(
    "owner",
    sql.type(Column)`
      SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type,
        (pg_relation_size(c.oid) / current_setting('block_size')::int)::int AS pages
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        AND a.atttypid = ANY('{text,varchar,json,jsonb,text[]}'::regtype[])
        AND n.nspname NOT IN ('information_schema', 'pgboss') AND n.nspname NOT LIKE 'pg\\_%'
      ORDER BY n.nspname, c.relname, a.attnum`,
  )
  return rows.flatMap((found): SealedColumn[] => {
    const name = `${found.schema}.${found.table}.${found.column}`
    if (found.schema === "kernel" || found.schema === "_sandbox") return name in ownColumns ? [{ ...found, places: ownColumns[name] as SealedColumn["places"] }] : []
    const owner = owners.get(found.schema)
    if (owner && !owner.capabilities?.secrets?.length) return []
    return [{ ...found, places: (row) => (owner ? placesOf(owner, row) : []) }]
  })
}

const ownColumns: Readonly<Record<string, SealedColumn["places"]>> = {
  "_sandbox.word.login": () => [],
  "kernel.plugins.config"({ id, config }) {
    const places: Place[] = []
    openSettings(config as Row, (field) => {
      places.push([masterTenantId, id as string, `config:${field}`])
      return ""
    })
    return places
  },
}

/** A field is one of the names that the plugin declares, or begins with it and goes on with something of the row, such as its id. */
function placesOf({ id, capabilities }: Manifest, row: Row): Place[] {
  const tenantId = typeof row.tenant_id === "string" ? row.tenant_id : masterTenantId
  const values = Object.values(row).filter((value) => typeof value === "number" || (typeof value === "string" && value.length < 200))
  return (capabilities?.secrets ?? []).flatMap((name) => [name, ...values.map((value) => `${name}:${value}`)].map((field): Place => [tenantId, id, field]))
}

/** Pages that one statement looks at: few enough that nothing else waits long for it, on the embedded database either. */
const stretch = 256

/** Goes through the column in stretches, each in a transaction of its own as the owner, which may take its time. */
export async function inStretches(pool: Pool, { pages }: SealedColumn, work: (connection: Connection, from: string, to: string) => Promise<void>): Promise<void> {
  for (let page = 0; page <= pages; page += stretch) {
    await pool.transaction(async (connection) => {
      await connection.run("owner", sql.type(row(Type.Object({})))`SELECT set_config('statement_timeout', '0', true)`)
      await work(connection, `(${page},0)`, `(${page + stretch},0)`)
    })
  }
}

/** How many sealed values there are of each key. */
export async function countSealed(pool: Pool, columns: readonly SealedColumn[]): Promise<{ column: string; key: string; count: number }[]> {
  const Count = row(Type.Object({ key: Type.String(), count: Type.Integer() }))
  const counts: { column: string; key: string; count: number }[] = []
  for (const found of columns) {
    const [text, table] = [sql.fragment`${sql.identifier([found.column])}::text`, sql.identifier([found.schema, found.table])]
    await inStretches(pool, found, async ({ run }, from, to) => {
      const { rows } = await run(
        "owner",
        sql.type(Count)`
          SELECT sealed[1] AS key, count(*)::int AS count FROM ${table}, regexp_matches(${text}, 'v[12]:([0-9a-f]{8}):', 'g') AS sealed
          WHERE ctid >= ${from}::tid AND ctid < ${to}::tid AND ${text} LIKE '%v_:________:%' GROUP BY 1`,
        unlimitedName,
      )
      counts.push(...rows.map((counted) => ({ ...counted, column: `${found.schema}.${found.table}.${found.column}` })))
    })
  }
  return counts
}
