import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../../db/database.ts"
import { schemaOf } from "../../db/schema.ts"
import { fail } from "../../failures.ts"
import type { Candidate } from "../../plugins/discover.ts"
import { gateMigration } from "../sql/migration.ts"
import { ensurePluginRole } from "./role.ts"

const Owned = row(Type.Object({ foreign: Type.Boolean() }))

/**
 * Brings the tables of a sandboxed plugin up to date. Its statements pass the gate and run as the owner, to whom its tables belong; then only the plugin's own role reaches them.
 * The app role, which all bundled plugins share, does not: what a bundled plugin may see of another is a service, and a fault in one of ours should not open a stranger's tables.
 * Each table belongs to tenants: one that they share would be a way between them that the gateway does not see.
 */
export async function migratePlugin({ db }: { db: Database }, { manifest, migrations }: Pick<Candidate, "manifest" | "migrations">): Promise<{ applied: readonly string[] }> {
  if (migrations === undefined) return { applied: [] }
  const role = await ensurePluginRole(db.inside, manifest.id)
  await demandOwnSchema(db, manifest.id, role)
  // Another node may have removed what this one has applied.
  db.inside.migrations.forget()
  return db.migrate({ id: manifest.id, folder: migrations, globalTables: [], sandbox: { role, gate: gateMigration } })
}

/** A plugin called `pgboss`, or like one that is bundled and off, would be given the schema of that name. Its own is known by its role's right to it. */
async function demandOwnSchema({ inside }: Database, plugin: string, role: string): Promise<void> {
  const schema = schemaOf(plugin)
  const { rows } = await inside.pool.run(
    "owner",
    sql.type(Owned)`
      SELECT NOT EXISTS (SELECT FROM aclexplode(n.nspacl) AS held JOIN pg_roles r ON r.oid = held.grantee WHERE r.rolname = ${role} AND held.privilege_type = 'USAGE') AS foreign
      FROM pg_namespace n WHERE n.nspname = ${schema}`,
  )
  if (rows[0]?.foreign || schema.startsWith("pg_"))
    throw fail("migration_failed", { source: plugin, file: schema, reason: `the schema ${schema} belongs to something else; the plugin needs another id` })
}
