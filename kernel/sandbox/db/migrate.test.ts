import { deepEqual, equal, rejects } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import { acme, allNotes, globex, kernelSource } from "../../db/notes.test.ts"
import { openPluginDb } from "./open.ts"
import { purgePlugin } from "./purge.ts"
import { roleOf } from "./role.ts"
import { type Terms, termsDatabase, termsTable } from "./terms.test.ts"

const table = (name: string, more = "") => `CREATE TABLE ${name} (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), text text NOT NULL${more});`
const refusedFor = (reason: RegExp) => (error: unknown) => failureOf(error)?.name === "kernel.migration_failed" && reason.test(String(failureOf(error)?.params.reason))

describe("the tables of a sandboxed plugin", function () {
  this.timeout(60_000)
  let terms: Terms
  const state = async (name: string) => {
    const { rows } = await terms.db.executeSql(
      `SELECT c.relrowsecurity AND c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner) = session_user AS owned,
        (SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid) AS policies,
        (SELECT array_agg(DISTINCT CASE WHEN held.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(held.grantee)::text END) FROM aclexplode(c.relacl) AS held WHERE held.grantee <> c.relowner) AS reached_by
       FROM pg_class c WHERE c.oid = $1::regclass`,
      [name],
    )
    return rows[0]
  }

  before(async () => {
    terms = await termsDatabase()
  })
  after(() => terms.drop())

  it("belong to the owner, are forced to keep tenants apart, and are reached by its role alone", async () => {
    const expected = { forced: true, owned: true, policies: ["owner", "tenant"], reached_by: [roleOf(terms.db.inside, "glossary")] }
    deepEqual(await state("glossary.terms"), expected)
    await terms.migrate("glossary", { "0001_terms.sql": termsTable, "0002_more.sql": `${table("glossary.more", ", part int NOT NULL")} SELECT kernel.protect('glossary.more');` })
    deepEqual(await state("glossary.more"), expected)
    await terms.plugin.query(acme, "INSERT INTO glossary.more (text, part) VALUES ('a', 1)", [])
    deepEqual((await terms.plugin.query(globex, "SELECT text FROM glossary.more", [])).rows, [])
  })

  it("come with sequences that it can use", async () => {
    await terms.migrate("counter", {
      "0001_counted.sql":
        "CREATE TABLE counter.counted (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), text text NOT NULL);",
    })
    const counter = await openPluginDb(terms.rooms, "counter")
    deepEqual((await counter.query(acme, "INSERT INTO counter.counted (text) VALUES ('a') RETURNING id", [])).rows, [{ id: 1 }])
    await counter.close()
  })

  it("are changed by later files, rows of all tenants included", async () => {
    for (const caller of [acme, globex]) await terms.add(caller, "SLA")
    const columns = async () => Object.keys((await terms.plugin.query(acme, "SELECT * FROM glossary.terms", [])).rows[0] ?? {})
    deepEqual(await columns(), ["tenant_id", "name", "meaning"])
    await terms.migrate("glossary", {
      "0001_terms.sql": termsTable,
      "0002_more.sql": `${table("glossary.more", ", part int NOT NULL")} SELECT kernel.protect('glossary.more');`,
      "0003_filled.sql": "ALTER TABLE glossary.terms ADD COLUMN filled boolean; UPDATE glossary.terms SET filled = true;",
    })
    for (const caller of [acme, globex]) deepEqual((await terms.plugin.query(caller, "SELECT filled FROM glossary.terms", [])).rows, [{ filled: true }])
    deepEqual(await columns(), ["tenant_id", "name", "meaning", "filled"])
  })

  it("refuse a file that does not pass the gate, naming file and reason, and keep nothing of it", async () => {
    const hostile = {
      "CREATE FUNCTION evil.f() RETURNS int LANGUAGE sql AS 'SELECT 1'": /./,
      "CREATE TABLE kernel.mine (a int)": /./,
      "ALTER TABLE notes.notes NO FORCE ROW LEVEL SECURITY": /./,
      "DROP TABLE kernel.tenants": /./,
      "GRANT ALL ON SCHEMA evil TO PUBLIC": /./,
      "RESET ROLE": /./,
      "INSERT INTO evil.t SELECT gen_random_uuid(), id::text FROM kernel.api_keys": /./,
    }
    for (const [text, reason] of Object.entries(hostile)) {
      await rejects(terms.migrate("evil", { "0001_evil.sql": `${table("evil.t")} ${text};` }), refusedFor(reason), text)
      equal((await terms.db.executeSql("SELECT to_regclass('evil.t') IS NULL AS gone WHERE $1", [true])).rows.length, 1)
    }
    deepEqual((await terms.db.executeSql("SELECT file FROM kernel.migrations WHERE source = $1", ["evil"])).rows, [])
  })

  it("refuse one that tenants would share", async () => {
    await rejects(terms.migrate("shared", { "0001_shared.sql": "CREATE TABLE shared.t (text text);" }), refusedFor(/tenant_id/))
    await rejects(terms.migrate("shared", { "0001_shared.sql": "CREATE TABLE shared.t (tenant_id uuid DEFAULT kernel.bound_tenant(), text text);" }), refusedFor(/tenant_id/))
  })

  it("are not made in a schema that is somebody else's", async () => {
    for (const id of ["kernel", "pgboss", "public", "notes", "information-schema", "pg-temp"]) {
      await terms.db.executeSql("CREATE SCHEMA IF NOT EXISTS pgboss")
      await rejects(terms.migrate(id, { "0001_t.sql": table(`${id.replaceAll("-", "_")}.t`) }), refusedFor(/belongs to something else|no schema of a plugin/), id)
      const { rows } = await terms.db.executeSql("SELECT has_schema_privilege(rolname, $1, 'CREATE') AS may FROM pg_roles WHERE rolname = $2", [
        id === "pg-temp" ? "pg_catalog" : id.replaceAll("-", "_"),
        roleOf(terms.db.inside, id),
      ])
      deepEqual(rows, [{ may: false }])
    }
  })

  it("are brought up to date by one of two nodes that start at once", async () => {
    if (terms.db.kind === "embedded") return
    const other = await terms.notes.open()
    try {
      await other.migrate(kernelSource)
      const files = { "0001_twice.sql": table("twice.t"), "0002_twice.sql": "ALTER TABLE twice.t ADD COLUMN more text;" }
      await Promise.all([terms.migrate("twice", files), terms.migrateOn(other, "twice", files)])
    } finally {
      await other.close()
    }
    deepEqual((await terms.db.executeSql("SELECT file FROM kernel.migrations WHERE source = $1 ORDER BY file", ["twice"])).rows, [
      { file: "0001_twice.sql" },
      { file: "0002_twice.sql" },
    ])
  })

  it("go with their schema, role and history when the plugin is purged, and nothing else does", async () => {
    const files = { "0001_gone.sql": table("gone.t") }
    await terms.migrate("gone", files)
    const gone = await openPluginDb(terms.rooms, "gone")
    await gone.query(acme, "INSERT INTO gone.t (text) VALUES ('a')", [])
    await gone.close()
    await purgePlugin(terms.rooms, "gone")
    await purgePlugin(terms.rooms, "gone")
    const left = await terms.db.executeSql(
      "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = $1) AS roles, to_regnamespace('gone') IS NULL AS dropped, (SELECT count(*) FROM kernel.migrations WHERE source = 'gone') AS applied",
      [roleOf(terms.db.inside, "gone")],
    )
    deepEqual(left.rows, [{ roles: 0, dropped: true, applied: 0 }])
    for (const id of ["notes", "kernel", "public"]) await purgePlugin(terms.rooms, id)
    deepEqual(await terms.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
    await terms.migrate("gone", files)
    const again = await openPluginDb(terms.rooms, "gone")
    deepEqual((await again.query(acme, "SELECT text FROM gone.t", [])).rows, [])
    await again.close()
  })
})
