import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../../db/database.ts"
import { schemaOf } from "../../db/schema.ts"
import { roleOf } from "./role.ts"

const Nothing = row(Type.Object({}))

/** Drops the tables and the role of a sandboxed plugin, for all tenants and for good. Nothing happens to a schema that its role has no right to. Connections of it that are left on other nodes are ended. */
export async function purgePlugin({ db }: { db: Database }, plugin: string): Promise<void> {
  const { pool, migrations } = db.inside
  const role = roleOf(db.inside, plugin)
  await pool.transaction(async ({ run }) => {
    await run(
      "owner",
      sql.type(Nothing)`SELECT set_config('plugboard.role', ${role}, true), set_config('plugboard.schema', ${schemaOf(plugin)}, true), set_config('statement_timeout', '0', true)`,
    )
    await run("owner", sql.type(Nothing)`SELECT pg_advisory_xact_lock(7265843150)`)
    const { rowCount } = await run(
      "owner",
      sql.type(Nothing)`
        SELECT FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) AS held JOIN pg_roles r ON r.oid = held.grantee
        WHERE n.nspname = ${schemaOf(plugin)} AND r.rolname = ${role} AND held.privilege_type = 'USAGE'`,
    )
    if (rowCount > 0) {
      await run("owner", sql.type(Nothing)`DO $purge$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE', current_setting('plugboard.schema')); END $purge$`)
      await run("owner", sql.type(Nothing)`DELETE FROM kernel.migrations WHERE source = ${plugin}`)
    }
    await run(
      "owner",
      sql.type(Nothing)`
        DO $purge$ BEGIN
          IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_setting('plugboard.role')) THEN
            PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_setting('plugboard.role') AND pid <> pg_backend_pid();
            EXECUTE format('DROP OWNED BY %I', current_setting('plugboard.role'));
            EXECUTE format('DROP ROLE %I', current_setting('plugboard.role'));
          END IF;
        END $purge$`,
    )
  })
  migrations.forget()
}
