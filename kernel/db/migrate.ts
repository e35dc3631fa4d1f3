import { hash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import type { Roles } from "./binding.ts"
import type { MigrationSource } from "./database.ts"
import type { Run } from "./pool.ts"

const Nothing = row(Type.Object({}))
const Applied = row(Type.Object({ source: Type.String(), file: Type.String(), checksum: Type.String() }))
const Present = row(Type.Object({ present: Type.Boolean() }))
const Lacking = row(Type.Object({ table: Type.String(), reason: Type.String() }))

interface File {
  name: string
  text: string
  checksum: string
}

/**
 * Applies migrations: forward only, each file in a transaction of its own, as the owner, one node at a time. What was applied is read once, so that a start with nothing to do costs one statement.
 * A file that was changed after it was applied is refused: databases that have it would differ from those that have not.
 */
export class Migrations {
  readonly #run: Run
  readonly #transaction: <T>(work: (run: Run) => Promise<T>) => Promise<T>
  readonly #roles: Roles
  readonly #log: GatewayLog
  #applied: Map<string, string> | undefined

  constructor(pool: { run: Run; transaction<T>(work: (run: Run) => Promise<T>): Promise<T> }, roles: Roles, log: GatewayLog) {
    this.#run = pool.run
    this.#transaction = pool.transaction
    this.#roles = roles
    this.#log = log
  }

  async apply(source: MigrationSource): Promise<{ applied: string[] }> {
    const files = filesOf(source.folder)
    this.#applied ??= await this.#readApplied()
    const pending = files.filter((file) => !this.#isApplied(source, file))
    const applied: string[] = []
    for (const file of pending) {
      if (await this.#applyOne(source, file)) applied.push(file.name)
    }
    return { applied }
  }

  #isApplied(source: MigrationSource, file: File): boolean {
    const known = this.#applied?.get(`${source.id}/${file.name}`)
    if (known !== undefined && known !== file.checksum) {
      throw fail("migration_failed", { source: source.id, file: file.name, reason: "it was changed after it had been applied; put it back, and write the change as a new file" })
    }
    return known !== undefined
  }

  async #readApplied(): Promise<Map<string, string>> {
    const { rows: present } = await this.#run("owner", sql.type(Present)`SELECT to_regclass('kernel.migrations') IS NOT NULL AS present`)
    if (!present[0]?.present) return new Map()
    const { rows } = await this.#run("owner", sql.type(Applied)`SELECT source, file, checksum FROM kernel.migrations`)
    return new Map(rows.map(({ source, file, checksum }) => [`${source}/${file}`, checksum]))
  }

  /** False when another node was faster. */
  async #applyOne(source: MigrationSource, file: File): Promise<boolean> {
    const schema = source.id.replaceAll("-", "_")
    const text = file.text.replaceAll("{{app}}", quoted(this.#roles.app)).replaceAll("{{kernel}}", quoted(this.#roles.kernel)).replaceAll("{{schema}}", quoted(schema))
    try {
      return await this.#transaction(async (run) => {
        await run("owner", sql.type(Nothing)`SELECT pg_advisory_xact_lock(7265843150)`)
        await this.#prepare(run, schema)
        const { rows } = await run("owner", sql.type(Applied)`SELECT source, file, checksum FROM kernel.migrations WHERE source = ${source.id} AND file = ${file.name}`)
        this.#applied?.set(`${source.id}/${file.name}`, file.checksum)
        if (rows.length > 0) return false
        // A file holds several statements, and the protocol takes one: the server runs the text, which reaches it as a value.
        await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.migration', ${text}, true)`)
        await run("owner", sql.type(Nothing)`DO $run$ BEGIN EXECUTE current_setting('plugboard.migration'); END $run$`)
        await this.#check(run, schema, source)
        await run("owner", sql.type(Nothing)`INSERT INTO kernel.migrations (source, file, checksum) VALUES (${source.id}, ${file.name}, ${file.checksum})`)
        this.#log.info({ source: source.id, file: file.name }, "migration applied")
        return true
      })
    } catch (error) {
      this.#applied?.delete(`${source.id}/${file.name}`)
      if (error instanceof Error && "failure" in error) throw error
      throw fail("migration_failed", { source: source.id, file: file.name, reason: (error as Error).message }, { cause: error })
    }
  }

  async #prepare(run: Run, schema: string): Promise<void> {
    const name = sql.identifier([schema])
    await run("owner", sql.type(Nothing)`CREATE SCHEMA IF NOT EXISTS ${name}`)
    if (schema === "kernel") {
      await run("owner", sql.type(Nothing)`
        CREATE TABLE IF NOT EXISTS kernel.migrations (
          source text, file text, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, file)
        )`)
    } else {
      await run("owner", sql.type(Nothing)`GRANT USAGE ON SCHEMA ${name} TO ${sql.identifier([this.#roles.app])}`)
    }
  }

  /** Every table of the schema belongs to tenants, or is listed as global. A table that all tenants would share by mistake does not get in. */
  async #check(run: Run, schema: string, source: MigrationSource): Promise<void> {
    const { rows } = await run(
      "owner",
      sql.type(Lacking)`
        SELECT c.relname AS table, CASE
            WHEN NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN 'it has no column tenant_id'
            WHEN NOT c.relrowsecurity THEN 'row-level security is not enabled'
            WHEN NOT c.relforcerowsecurity THEN 'row-level security is not forced'
            ELSE 'it has no policy for tenants' END AS reason
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ${schema} AND c.relkind IN ('r', 'p') AND NOT (c.relname = ANY(${sql.array([...source.globalTables], "text")}))
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity
            AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
            AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'))
        ORDER BY c.relname LIMIT 1`,
    )
    const [lacking] = rows
    if (!lacking) return
    const table = `${schema}.${lacking.table}`
    throw fail("migration_failed", { source: source.id, file: table, reason: `${table}: ${lacking.reason}; call kernel.protect('${table}'), or list it in the manifest's globalTables` })
  }
}

function filesOf(folder: string): File[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), "utf8")
      return { name, text, checksum: hash("sha256", text, "hex") }
    })
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
