import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { ConfigError } from "../config.ts"
import type { Roles } from "./binding.ts"
import type { Pool, Run } from "./pool.ts"

const Nothing = row(Type.Object({}))
const State = row(Type.Object({ id: Type.String(), ready: Type.Boolean(), mighty: Type.Boolean() }))

/**
 * The two roles that queries run as: neither superuser, nor owner, nor past row-level security. They are made when they are absent.
 * Roles belong to the whole server, so their names carry the id of the database; a copy of a database keeps the names that its policies were made for.
 */
export async function ensureRoles(pool: Pool): Promise<Pick<Roles, "app" | "kernel">> {
  const { rows } = await pool.run(
    "owner",
    sql.type(State)`
      SELECT named.id, count(r.oid) FILTER (WHERE pg_has_role(session_user, r.oid, 'MEMBER')) = 2 AS ready, coalesce(bool_or(r.rolsuper OR r.rolbypassrls), false) AS mighty
      FROM (
        SELECT coalesce(
          (SELECT substring(r.rolname FROM '^plugboard_(.*)_app$') FROM pg_policy p JOIN pg_roles r ON r.oid = ANY(p.polroles) WHERE p.polrelid = to_regclass('kernel.activity') AND p.polname = 'tenant'),
          (SELECT oid::text FROM pg_database WHERE datname = current_database())
        ) AS id
      ) AS named
      LEFT JOIN pg_roles r ON r.rolname IN ('plugboard_' || named.id || '_app', 'plugboard_' || named.id || '_kernel')
      GROUP BY named.id`,
  )
  const [state] = rows
  if (!state) throw new Error("the database has no entry of its own")
  const roles = { app: `plugboard_${state.id}_app`, kernel: `plugboard_${state.id}_kernel` }
  if (state.mighty)
    throw new ConfigError(`One of the roles ${roles.app} and ${roles.kernel} passes row-level security. As an administrator: ALTER ROLE ... NOSUPERUSER NOBYPASSRLS;`)
  if (!state.ready) for (const name of [roles.app, roles.kernel]) await pool.transaction(({ run }) => createRole(run, name))
  return roles
}

async function createRole(run: Run, name: string): Promise<void> {
  await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.role', ${name}, true)`)
  // Two nodes may make it at once; and on PostgreSQL 16 and newer the one that makes a role is its member already.
  await run(
    "owner",
    sql.type(Nothing)`
      DO $make$ BEGIN
        PERFORM pg_advisory_xact_lock(7265843149);
        BEGIN
          EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT', current_setting('plugboard.role'));
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        EXECUTE format('GRANT %I TO %I', current_setting('plugboard.role'), session_user);
      END $make$`,
  )
}
