import { cp, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { unlimitedName } from "../db/binding.ts"
import type { Database } from "../db/database.ts"
import { kernelGlobals } from "../db/kernel-tables.ts"
import type { Run } from "../db/pool.ts"
import { fail } from "../failures.ts"
import { checkContents } from "../packages/contents.ts"
import { bundledPlugins, type Candidate, kernelMigrations } from "../plugins/discover.ts"
import { masterTenantId } from "../tenancy.ts"
import { type BackupHeader, readBackup, readHeader, type TableEntry } from "./backup-file.ts"
import { appliedMigrations, tablesOf } from "./tables.ts"

const Nothing = row(Type.Object({}))

export interface Restored {
  header: BackupHeader
  tables: number
  rows: number
}

/**
 * Puts a backup in the place of what the database holds, in one transaction: all of it, or nothing is changed. The file is read to its end before that.
 * The tables are made as they were when it was written; what a newer gateway changes about them its next start does, to the data as well.
 */
export async function restore(db: Database, path: string, force: boolean): Promise<Restored> {
  const header = await readHeader(path)
  const work = await mkdtemp(join(tmpdir(), "plugboard-restore-"))
  try {
    const packages = await checkAndUnpack(path, work)
    await makeTables(db, header, packages, work)
    const counts = await db.inside.pool.transaction(async ({ run }) => {
      await run("owner", sql.type(Nothing)`SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`)
      const tables = await tablesOf(run, [...new Set(header.migrations.map(({ source }) => source))])
      if (!force) await demandEmpty(run, tables)
      return load(run, path, tables)
    })
    return { header, ...counts }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Reads the whole file. The packages that it holds lie unpacked in `work` afterwards. */
async function checkAndUnpack(path: string, work: string): Promise<Pick<Candidate, "manifest" | "migrations">[]> {
  const packages: Pick<Candidate, "manifest" | "migrations">[] = []
  let table = ""
  for await (const entry of readBackup(path)) {
    if ("table" in entry) table = `${entry.table.schema}.${entry.table.name}`
    else if (table === "kernel.packages") {
      const { contents, tarball, hash } = JSON.parse(entry.row) as { contents: string; tarball: string; hash: string }
      const { manifest } = checkContents(JSON.parse(contents))
      const { unpackTarball } = await import("../packages/tarball.ts")
      const folder = join(work, hash)
      await mkdir(folder)
      await unpackTarball(Buffer.from(tarball.slice(2), "hex"), folder)
      packages.push({ manifest, migrations: join(folder, "migrations", manifest.id) })
    }
  }
  return packages
}

/** Applies exactly the migrations that the backup's database had. */
async function makeTables(db: Database, { migrations }: BackupHeader, packages: readonly Pick<Candidate, "manifest" | "migrations">[], work: string): Promise<void> {
  const bundled = await bundledPlugins()
  const sources = [...new Set(migrations.map(({ source }) => source))].sort((a, b) => Number(b === "kernel") - Number(a === "kernel"))
  for (const source of sources) {
    const wanted = migrations.filter((one) => one.source === source)
    const own = bundled.find(({ manifest }) => manifest.id === source)
    const folders = source === "kernel" ? [kernelMigrations()] : own ? [own.migrations] : packages.filter(({ manifest }) => manifest.id === source).map((one) => one.migrations)
    const chosen = join(work, `migrations-${source}`)
    await mkdir(chosen)
    for (const { file } of wanted) {
      const copied = await Promise.any(folders.map((folder) => cp(join(folder ?? "", file), join(chosen, file)))).catch(() => false)
      if (copied === false) throw fail("backup_newer", { source, file })
    }
    if (source === "kernel") await db.migrate({ id: source, folder: chosen, globalTables: kernelGlobals })
    else if (own) await db.migrate({ id: source, folder: chosen, globalTables: own.manifest.globalTables ?? [] })
    else await (await import("../sandbox/db/migrate.ts")).migratePlugin({ db }, { manifest: { id: source, version: "0.0.0", sdk: "*" }, migrations: chosen })
  }
  // Checksums, and that the database has no later ones: rows from before them would not fit.
  const applied = await appliedMigrations(db.inside.pool.run)
  const key = ({ source, file, checksum }: (typeof applied)[number]) => `${source}/${file} ${checksum}`
  const has = new Set(applied.map(key))
  const missing = migrations.find((one) => !has.has(key(one)))
  if (missing) throw fail("backup_newer", { source: missing.source, file: missing.file })
  const later = applied.find((one) => sources.includes(one.source) && !migrations.some((known) => key(known) === key(one)))
  if (later) throw fail("backup_older", { source: later.source, file: later.file })
}

/** What a gateway makes by itself when it starts for the first time counts as something: it is the operator who knows. */
async function demandEmpty(run: Run, tables: readonly TableEntry[]): Promise<void> {
  const Found = row(Type.Object({ found: Type.Boolean() }))
  for (const { schema, name } of tables) {
    const besides = `${schema}.${name}` === "kernel.tenants" ? sql.fragment`WHERE id <> ${masterTenantId}` : sql.fragment``
    const { rows } = await run("owner", sql.type(Found)`SELECT EXISTS (SELECT FROM ${sql.identifier([schema, name])} ${besides}) AS found`)
    if (rows[0]?.found) throw fail("restore_not_empty", { table: `${schema}.${name}` })
  }
}

async function load(run: Run, path: string, tables: readonly TableEntry[]): Promise<{ tables: number; rows: number }> {
  const names = tables.map(({ schema, name }) => sql.identifier([schema, name]))
  // References are taken away, and come back at the end, which checks them: rows come in any order.
  const Reference = row(Type.Object({ drop: Type.String(), add: Type.String() }))
  const { rows: references } = await run(
    "owner",
    sql.type(Reference)`
      SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS add
      FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid::regclass::text = ANY(
        SELECT format('%I.%I', given.schema, given.name) FROM unnest(${sql.array(
          tables.map(({ schema }) => schema),
          "text",
        )}, ${sql.array(
          tables.map(({ name }) => name),
          "text",
        )}) AS given(schema, name))`,
  )
  for (const { drop } of references) await execute(run, drop)
  await run("owner", sql.type(Nothing)`TRUNCATE ${sql.join(names, sql.fragment`, `)}`)
  const counts = { tables: 0, rows: 0 }
  let table: TableEntry | undefined
  let waiting: string[] = []
  let bytes = 0
  const flush = async () => {
    if (table && waiting.length > 0) await insert(run, table, `[${waiting.join(",")}]`)
    counts.rows += waiting.length
    waiting = []
    bytes = 0
  }
  for await (const entry of readBackup(path)) {
    if ("table" in entry) {
      await flush()
      table = entry.table
      counts.tables += 1
      continue
    }
    waiting.push(entry.row)
    bytes += entry.row.length
    if (waiting.length >= 500 || bytes > 1 << 20) await flush()
  }
  await flush()
  for (const { add } of references) await execute(run, add)
  await run(
    "owner",
    sql.type(Nothing)`
      DO $set$ DECLARE c record; BEGIN
        FOR c IN SELECT a.attrelid::regclass AS owner, a.attname AS name, pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) AS sequence
          FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
          WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND (a.attidentity <> '' OR a.atthasdef) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgboss')
        LOOP
          IF c.sequence IS NOT NULL THEN EXECUTE format('SELECT setval(%L, coalesce(max(%I), 0) + 1, false) FROM %s', c.sequence, c.name, c.owner); END IF;
        END LOOP;
      END $set$`,
    unlimitedName,
  )
  return counts
}

async function insert(run: Run, { schema, name, columns, json }: TableEntry, rows: string): Promise<void> {
  const table = sql.identifier([schema, name])
  const values = columns.map((column) => {
    if (!json.includes(column)) return sql.identifier(["made", column])
    return sql.fragment`(given ->> ${column})::json`
  })
  await run(
    "owner",
    sql.type(Nothing)`
      INSERT INTO ${table} (${sql.join(
        columns.map((column) => sql.identifier([column])),
        sql.fragment`, `,
      )}) OVERRIDING SYSTEM VALUE
      SELECT ${sql.join(values, sql.fragment`, `)}
      FROM jsonb_array_elements(${rows}::jsonb) AS given, jsonb_populate_record(NULL::${table}, given - ${sql.array(json, "text")}) AS made`,
    "",
  )
}

async function execute(run: Run, text: string): Promise<void> {
  await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.restore', ${text}, true)`)
  await run("owner", sql.type(Nothing)`DO $run$ BEGIN EXECUTE current_setting('plugboard.restore'); END $run$`, unlimitedName)
}
