import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import pg from "pg"
import { asAdministrator, databaseOf, server } from "../../db/administrator.test.ts"
import { acme, globex } from "../../db/notes.test.ts"
import { loginConfig, loginSeed, passwordOf } from "./login.ts"
import { openPluginDb } from "./open.ts"
import { roleOf } from "./role.ts"
import { secrets, type Terms, termsDatabase } from "./terms.test.ts"

// What a plugin could do that got past the gate: its login is taken here as it is, without the gateway.
if (server) {
  describe("the login of a sandboxed plugin, past the gate", function () {
    this.timeout(60_000)
    let terms: Terms
    let role: string
    let raw: pg.Client
    const connect = async (name = role) => {
      const client = new pg.Client(loginConfig(terms.notes.scratch.databaseUrl as string, name, passwordOf(await loginSeed(terms.db.inside.pool, secrets), name)))
      await client.connect()
      return client
    }

    before(async () => {
      terms = await termsDatabase()
      role = roleOf(terms.db.inside, "glossary")
      for (const caller of [acme, globex]) await terms.add(caller, "SLA", `of ${caller.tenantId}`)
    })
    after(() => terms.drop())
    beforeEach(async () => {
      raw = await connect()
    })
    afterEach(() => raw.end())

    it("is what the plugin's connections have", async () => {
      equal(terms.plugin.border, "login")
      const seen = await asAdministrator((client) =>
        client.query<{ role: string }>("SELECT DISTINCT usename AS role FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE '%\\_x\\_%'", [
          databaseOf(terms.notes.scratch.databaseUrl),
        ]),
      )
      ok(seen.rows.some((row) => row.role === role))
    })

    it("sees and writes no row, whatever tenant it says it works for", async () => {
      const forge = async () => {
        deepEqual((await raw.query("SELECT name FROM glossary.terms")).rows, [])
        equal((await raw.query("UPDATE glossary.terms SET meaning = 'taken'")).rowCount, 0)
        equal((await raw.query("DELETE FROM glossary.terms")).rowCount, 0)
        await rejects(raw.query("INSERT INTO glossary.terms (tenant_id, name, meaning) VALUES ($1, 'smuggled', '')", [globex.tenantId]), /row-level security/)
      }
      await forge()
      await raw.query("SELECT set_config('plugboard.tenant', $1, false)", [globex.tenantId])
      await forge()
      await raw.query("SET row_security = off")
      await rejects(raw.query("SELECT name FROM glossary.terms"), /row-level security/)
      await raw.query("RESET ALL")
      await forge()
    })

    it("does not learn the variable that its tenant stands in, also on a connection that was bound", async () => {
      const { word } = terms.db.inside.roles
      await raw.query("SELECT set_config($1, $2, false)", [`plugboard.${word}`, acme.tenantId])
      deepEqual((await raw.query("SELECT name FROM glossary.terms")).rows, [{ name: "SLA" }])
      const all = [
        "SELECT * FROM pg_settings",
        "SHOW ALL",
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM pg_prepared_statements",
        "SELECT * FROM pg_cursors",
        "SELECT * FROM pg_db_role_setting",
        "SELECT prosrc, proconfig FROM pg_proc WHERE pronamespace = to_regnamespace('_sandbox')",
        "SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy",
        "SELECT * FROM pg_stats",
        "EXPLAIN (VERBOSE, SETTINGS) SELECT name FROM glossary.terms",
      ]
      for (const text of all) ok(!JSON.stringify((await raw.query(text)).rows).includes(word), text)
      await rejects(raw.query("SELECT word FROM _sandbox.word"), /permission denied/)
      await rejects(raw.query("SELECT * FROM _sandbox.carried"), /permission denied/)
    })

    it("does not see its word in the statements of its own other connections", async () => {
      const { word } = terms.db.inside.roles
      for (let round = 0; round < 20; round += 1) {
        const tx = await terms.plugin.transaction(acme)
        const { rows } = await raw.query("SELECT query FROM pg_stat_activity WHERE usename = session_user")
        await tx.commit({ audit: [{ action: "term.added", entityType: "term", entityId: "1" }], events: [{ event: "glossary.changed", payload: {} }], jobs: [] })
        ok(!JSON.stringify(rows).includes(word))
        ok(!JSON.stringify((await raw.query("SELECT query FROM pg_stat_activity")).rows).includes(word))
      }
    })

    it("becomes nobody else", async () => {
      const { app, kernel } = terms.db.inside.roles
      for (const name of [app, kernel, "postgres", roleOf(terms.db.inside, "other-one"), "pg_read_server_files", "pg_execute_server_program"]) {
        await rejects(raw.query(`SET ROLE "${name}"`), /permission denied/)
        await rejects(raw.query("SELECT set_config('role', $1, false)", [name]), /permission denied/)
      }
      await rejects(raw.query("SET SESSION AUTHORIZATION postgres"), /permission denied/)
      await raw.query("RESET ROLE")
      await raw.query("RESET SESSION AUTHORIZATION")
      deepEqual((await raw.query("SELECT session_user, current_user")).rows, [{ session_user: role, current_user: role }])
    })

    it("reaches no table and no function of anybody else", async () => {
      const denied = [
        "SELECT * FROM notes.notes",
        "SELECT * FROM other_one.secrets",
        "SELECT * FROM kernel.tenants",
        "SELECT * FROM kernel.activity",
        "INSERT INTO kernel.activity (id, tenant_id, actor_id, action, plugin) VALUES (gen_random_uuid(), gen_random_uuid(), 'a', 'b', 'c')",
        "SELECT kernel.bound_tenant()",
        "SELECT kernel.protect('glossary.terms')",
        "SELECT _sandbox.protect('glossary.terms', 'postgres')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "COPY glossary.terms TO PROGRAM 'true'",
        "COPY glossary.terms FROM '/etc/passwd'",
        "SELECT pg_reload_conf()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND datname IS NOT NULL",
        "CREATE EXTENSION dblink",
        "CREATE FUNCTION glossary.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE glossary.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE glossary.terms NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE glossary.terms DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON glossary.terms",
        "CREATE POLICY mine ON glossary.terms USING (true)",
        "TRUNCATE glossary.terms",
        "DROP TABLE glossary.terms",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "CREATE ROLE mine",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SET temp_file_limit = -1",
      ]
      for (const text of denied) await rejects(raw.query(text), /permission denied|must be owner|must have|must be a? ?superuser|only superuser|member of the role/i, text)
    })

    it("gives away nothing that it has", async () => {
      // PostgreSQL warns and goes on.
      await raw.query("GRANT SELECT ON glossary.terms TO PUBLIC")
      await raw.query(`GRANT ALL ON SCHEMA glossary TO "${roleOf(terms.db.inside, "other-one")}"`)
      const { rows } = await raw.query("SELECT FROM pg_class c, aclexplode(c.relacl) AS held WHERE c.oid = 'glossary.terms'::regclass AND held.grantee = 0")
      equal(rows.length, 0)
    })

    it("carries nothing without the word", async () => {
      await rejects(raw.query("SELECT _sandbox.carry('guess', 'x', ARRAY['a'])"), /only the gateway may carry/)
      await rejects(raw.query("SELECT _sandbox.carry(NULL, NULL, NULL)"), /only the gateway may carry/)
      await rejects(raw.query("SELECT _sandbox.carry($1, 'not registered', NULL)", [terms.db.inside.roles.word]), /no rows/)
    })

    it("has the limits of a stranger", async () => {
      const { rows } = await raw.query<{ settings: string[] }>(
        "SELECT setconfig AS settings FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = session_user",
      )
      deepEqual(rows[0]?.settings.map((setting) => setting.split("=")[0]).sort(), ["idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "temp_file_limit"])
      const { rows: limits } = await raw.query(
        "SELECT rolconnlimit AS connections, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS mighty FROM pg_roles WHERE rolname = session_user",
      )
      deepEqual(limits, [{ connections: 32, mighty: false }])
    })

    it("sleeps, idles and waits for locks no longer than its limits", async () => {
      await rejects(raw.query("SELECT pg_sleep(20)"), /statement timeout/)
      const holder = await connect()
      holder.on("error", () => undefined)
      await holder.query("BEGIN")
      await holder.query("LOCK TABLE glossary.terms IN ROW EXCLUSIVE MODE")
      const held = holder.query("SELECT pg_sleep(4)")
      await raw.query("BEGIN")
      await rejects(raw.query("LOCK TABLE glossary.terms IN SHARE MODE"), /lock timeout/)
      await raw.query("ROLLBACK")
      await held
      // Idle from here on, with its lock.
      await raw.query("BEGIN")
      await raw.query("LOCK TABLE glossary.terms IN SHARE MODE")
      await rejects(holder.query("COMMIT"))
      await raw.query("ROLLBACK")
    })

    it("is made once by two nodes that need it at the same time", async () => {
      const other = await terms.notes.open()
      try {
        const rooms = [terms.rooms, { ...terms.rooms, db: other }]
        for (let round = 0; round < 3; round += 1) {
          const opened = await Promise.all([...rooms, ...rooms].map((room) => openPluginDb(room, `pair-${round}`)))
          deepEqual(
            opened.map(({ border }) => border),
            ["login", "login", "login", "login"],
          )
          await Promise.all(opened.map((db) => db.close()))
        }
      } finally {
        await other.close()
      }
    })
  })
}
