import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Roles } from "./binding.ts"
import type { Run } from "./pool.ts"

const Nothing = row(Type.Object({}))
const State = row(Type.Object({ id: Type.String(), ready: Type.Boolean() }))

/**
 * The two roles that queries run as: neither superuser, nor owner, nor past row-level security. They are made when they are absent.
 * Roles belong to the whole server, so their names carry the id of the database.
 */
export async function ensureRoles(run: Run): Promise<Roles> {
  const { rows } = await run(
    "owner",
    sql.type(State)`
      SELECT d.oid::text AS id, count(r.oid) = 2 AS ready
      FROM pg_database d LEFT JOIN pg_roles r ON r.rolname IN ('plugboard_' || d.oid || '_app', 'plugboard_' || d.oid || '_kernel') AND pg_has_role(session_user, r.oid, 'MEMBER')
      WHERE d.datname = current_database() GROUP BY d.oid`,
  )
  const [state] = rows
  if (!state) throw new Error("the database has no entry of its own")
  const roles = { app: `plugboard_${state.id}_app`, kernel: `plugboard_${state.id}_kernel` }
  if (!state.ready) for (const name of [roles.app, roles.kernel]) await createRole(run, name)
  return roles
}

async function createRole(run: Run, name: string): Promise<void> {
  await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.role', ${name}, false)`)
  // Two nodes may make it at once; and on PostgreSQL 16 and newer the one that makes a role is its member already.
  await run(
    "owner",
    sql.type(Nothing)`
      DO $make$ BEGIN
        BEGIN
          EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT', current_setting('plugboard.role'));
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        EXECUTE format('GRANT %I TO %I', current_setting('plugboard.role'), session_user);
      END $make$`,
  )
}
