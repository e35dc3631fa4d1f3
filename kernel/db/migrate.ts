import { hash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { failureOf, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import { type Roles, unlimitedName } from "./binding.ts"
import type { MigrationSource } from "./database.ts"
import type { Pool, Run } from "./pool.ts"
import { schemaOf } from "./schema.ts"

const Nothing = row(Type.Object({}))
const Applied = row(Type.Object({ source: Type.String(), file: Type.String(), checksum: Type.String() }))
const Lacking = row(Type.Object({ table: Type.String(), reason: Type.String() }))

/** SQLSTATE of a database that has no migrations yet, not even their list. */
const undefinedTable = "42P01"

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
  readonly #pool: Pool
  readonly #roles: Roles
  readonly #log: GatewayLog
  #applied: Map<string, string> | undefined

  constructor(pool: Pool, roles: Roles, log: GatewayLog) {
    this.#pool = pool
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

  /** What was applied is read again: another node may have removed a plugin's schema. */
  forget(): void {
    this.#applied = undefined
  }

  #isApplied(source: MigrationSource, file: File): boolean {
    const known = this.#applied?.get(`${source.id}/${file.name}`)
    if (known !== undefined && known !== file.checksum) {
      throw fail("migration_failed", { source: source.id, file: file.name, reason: "it was changed after it had been applied; put it back, and write the change as a new file" })
    }
    return known !== undefined
  }

  async #readApplied(): Promise<Map<string, string>> {
    try {
      const { rows } = await this.#pool.run("owner", sql.type(Applied)`SELECT source, file, checksum FROM kernel.migrations`)
      return new Map(rows.map(({ source, file, checksum }) => [`${source}/${file}`, checksum]))
    } catch (error) {
      if ((error as { code?: string }).code === undefinedTable) return new Map()
      throw error
    }
  }

  /** False when another node was faster. */
  async #applyOne(source: MigrationSource, file: File): Promise<boolean> {
    const schema = schemaOf(source.id)
    try {
      const statements = await this.#statementsOf(source, file, schema)
      return await this.#pool.transaction(async ({ run }) => {
        await run("owner", sql.type(Nothing)`SELECT set_config('statement_timeout', '0', true)`)
        await run("owner", sql.type(Nothing)`SELECT pg_advisory_xact_lock(7265843150)`, unlimitedName)
        await this.#prepare(run, schema, source.sandbox?.role ?? this.#roles.app)
        const { rows } = await run("owner", sql.type(Applied)`SELECT source, file, checksum FROM kernel.migrations WHERE source = ${source.id} AND file = ${file.name}`)
        this.#applied?.set(`${source.id}/${file.name}`, file.checksum)
        if (rows.length > 0) return false
        for (const text of statements) {
          await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.migration', ${text}, true)`)
          await run("owner", sql.type(Nothing)`DO $run$ BEGIN EXECUTE current_setting('plugboard.migration'); END $run$`, unlimitedName)
        }
        if (source.sandbox) await protectAll(run, schema, source.sandbox.role)
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

  /** A file holds several statements, and the protocol takes one: the server runs each text, which reaches it as a value. A whole file will do, unless each of its statements was judged. */
  async #statementsOf(source: MigrationSource, file: File, schema: string): Promise<readonly string[]> {
    if (source.sandbox) {
      return source.sandbox.gate(file.text, schema).catch((error: unknown) => {
        throw fail("migration_failed", { source: source.id, file: file.name, reason: failureOf(error)?.params.reason ?? (error as Error).message }, { cause: error })
      })
    }
    return [file.text.replaceAll("{{app}}", quoted(this.#roles.app)).replaceAll("{{kernel}}", quoted(this.#roles.kernel)).replaceAll("{{schema}}", quoted(schema))]
  }

  async #prepare(run: Run, schema: string, role: string): Promise<void> {
    const name = sql.identifier([schema])
    await run("owner", sql.type(Nothing)`CREATE SCHEMA IF NOT EXISTS ${name}`)
    if (schema === "kernel") {
      await run(
        "owner",
        sql.type(Nothing)`
        CREATE TABLE IF NOT EXISTS kernel.migrations (
          source text, file text, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, file)
        )`,
      )
    } else {
      await run("owner", sql.type(Nothing)`GRANT USAGE ON SCHEMA ${name} TO ${sql.identifier([role])}`)
    }
  }

  /** Every table of the schema belongs to tenants, or is listed as global. A table that all tenants would share by mistake does not get in. */
  async #check(run: Run, schema: string, source: MigrationSource): Promise<void> {
    const role = source.sandbox?.role ?? this.#roles.app
    const condition = source.sandbox ? "(tenant_id = ( SELECT _sandbox.tenant() AS tenant))" : "(tenant_id = kernel.bound_tenant())"
    const { rows } = await run(
      "owner",
      sql.type(Lacking)`
        WITH tables AS (
          SELECT c.oid, c.relname AS name, c.relkind AS kind, c.reloptions AS options, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = ${schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT (c.relname = ANY(${sql.array([...source.globalTables], "text")}))
        ), judged AS (
          SELECT name, CASE
            WHEN kind = 'v' AND ('security_invoker=true' = ANY(options) OR 'security_invoker=on' = ANY(options)) THEN NULL
            WHEN kind = 'v' THEN 'it is a view that reads as its owner, who sees all tenants; create it WITH (security_invoker = true)'
            WHEN kind IN ('m', 'f') THEN 'it cannot have row-level security'
            WHEN NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN 'it has no column tenant_id'
            WHEN NOT enabled THEN 'row-level security is not enabled'
            WHEN NOT forced THEN 'row-level security is not forced'
            WHEN NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = 'tenant' AND pg_get_expr(p.polqual, p.polrelid) = ${condition})
              THEN 'it has no policy for tenants'
            WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND NOT a.attnotnull) THEN 'its column tenant_id may be null'
            ELSE (
              SELECT 'its policy ' || p.polname || ' would show rows of other tenants' FROM pg_policy p
              WHERE p.polrelid = t.oid AND p.polpermissive AND p.polname <> 'tenant' AND (0 = ANY(p.polroles) OR quote_ident(${role})::regrole = ANY(p.polroles)) LIMIT 1
            ) END AS reason
          FROM tables t
        )
        SELECT name AS table, reason FROM judged WHERE reason IS NOT NULL ORDER BY name LIMIT 1`,
    )
    const [lacking] = rows
    if (!lacking) return
    const table = `${schema}.${lacking.table}`
    throw fail("migration_failed", {
      source: source.id,
      file: table,
      reason: `${table}: ${lacking.reason}. Call kernel.protect('${table}'), or list it in the manifest's globalTables`,
    })
  }
}

/** Tables that the migration of a sandboxed plugin may have made or changed. One without the column for tenants is left to the check, which says so. */
async function protectAll(run: Run, schema: string, role: string): Promise<void> {
  await run(
    "owner",
    sql.type(Nothing)`
      SELECT _sandbox.protect(c.oid, ${role}) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${schema} AND c.relkind IN ('r', 'p')
        AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped)`,
  )
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
