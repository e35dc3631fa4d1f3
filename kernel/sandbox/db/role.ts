import { hash } from "node:crypto"
import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { ConfigError } from "../../config.ts"
import type { DatabaseInside } from "../../db/database.ts"
import { serverLimits } from "../../db/plugin-limits.ts"

const Nothing = row(Type.Object({}))
const State = row(Type.Object({ word: Type.String(), exists: Type.Boolean(), ready: Type.Boolean(), mighty: Type.Boolean() }))

/** Longest identifier of PostgreSQL, in bytes. */
const longest = 63
/** Connections of one plugin from all nodes. */
const connections = 32

/** The role of a sandboxed plugin, after the app role, whose name carries the id of the database. A long id gives way to its hash. */
export function roleOf(inside: DatabaseInside, plugin: string): string {
  const begin = inside.roles.app.replace(/_app$/, "_x_")
  return begin.length + plugin.length <= longest ? begin + plugin : begin + hash("sha256", plugin, "hex").slice(0, longest - begin.length)
}

/**
 * Makes the role of a sandboxed plugin when it is absent: it owns nothing, may do nothing but log in, and reaches two functions of the gateway besides its own tables.
 * Everyone may use temporary tables in a new database of PostgreSQL, and make tables in `public` in one of before version 15; from a database with sandboxed plugins both are taken:
 * what a plugin keeps there would be outside of row-level security.
 */
export async function ensurePluginRole(inside: DatabaseInside, plugin: string): Promise<string> {
  const role = roleOf(inside, plugin)
  const { rows } = await inside.pool.run(
    "owner",
    sql.type(State)`
      SELECT word.word, r.oid IS NOT NULL AS exists, coalesce(r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication, false) AS mighty,
        coalesce(r.rolcanlogin AND pg_has_role(session_user, r.oid, 'MEMBER') AND has_schema_privilege(r.oid, '_sandbox', 'USAGE')
          AND NOT (has_database_privilege(r.oid, d.oid, 'TEMPORARY') AND pg_has_role(session_user, d.datdba, 'USAGE')), false) AS ready
      FROM _sandbox.word JOIN pg_database d ON d.datname = current_database() LEFT JOIN pg_roles r ON r.rolname = ${role}`,
  )
  const [state] = rows
  if (!state) throw new Error("the database has lost the word of its sandbox")
  if (state.mighty)
    throw new ConfigError(
      `The role ${role} of a plugin in a sandbox may do too much. As an administrator: ALTER ROLE "${role}" NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;`,
    )
  if (!state.ready) await makeRole(inside, role)
  inside.roles.word = state.word
  return role
}

async function makeRole({ pool }: DatabaseInside, role: string): Promise<void> {
  await pool.transaction(async ({ run }) => {
    for (const [name, value] of [
      ["role", role],
      ["connections", String(connections)],
      ["statement", String(serverLimits.statementMs)],
      ["lock", String(serverLimits.lockMs)],
      ["idle", String(serverLimits.idleMs)],
    ])
      await run("owner", sql.type(Nothing)`SELECT set_config(${`plugboard.${name}`}, ${value ?? ""}, true)`)
    // Two nodes may make it at once. The limits are for the role's own connections; only a superuser may limit what goes to temporary files.
    await run(
      "owner",
      sql.type(Nothing)`
        DO $make$
        DECLARE
          made text := current_setting('plugboard.role');
        BEGIN
          PERFORM pg_advisory_xact_lock(7265843149);
          BEGIN
            EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION NOINHERIT', made);
          EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
          END;
          EXECUTE format('ALTER ROLE %I LOGIN CONNECTION LIMIT %s', made, current_setting('plugboard.connections'));
          EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', made, current_setting('plugboard.statement'));
          EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', made, current_setting('plugboard.lock'));
          EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', made, current_setting('plugboard.idle'));
          BEGIN
            EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', made, '256MB');
          EXCEPTION WHEN insufficient_privilege THEN NULL;
          END;
          EXECUTE format('GRANT %I TO %I', made, session_user);
          EXECUTE format('GRANT USAGE ON SCHEMA _sandbox TO %I', made);
          EXECUTE format('GRANT EXECUTE ON FUNCTION _sandbox.tenant(), _sandbox.carry(text, text, text[]) TO %I', made);
          IF pg_has_role(session_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), made);
            EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
          END IF;
          IF pg_has_role(session_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), 'USAGE') THEN
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
          END IF;
        END $make$`,
    )
  })
}
