import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isError, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { acme, allNotes, globex, type Notes, Nothing, notesDatabase } from "./notes.test.ts"

describe("migrations", function () {
  this.timeout(120_000)
  let notes: Notes
  const folders: string[] = []
  const folderOf = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), "plugboard-migrations-"))
    folders.push(folder)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return folder
  }
  const refusedFor = (reason: RegExp) => (error: unknown) => isError(error, "kernel.migration_failed") && reason.test(String(error.failure.params.reason))

  before(async () => {
    notes = await notesDatabase()
  })
  after(async () => {
    await notes.drop()
    for (const folder of folders) rmSync(folder, { recursive: true })
  })

  it("are applied once, in order, each told in the log", async () => {
    const folder = folderOf({
      "0002_second.sql": "ALTER TABLE two_words.things ADD COLUMN name text;",
      "0001_first.sql": "CREATE TABLE two_words.things (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant());\nSELECT kernel.protect('two_words.things');",
      "README.md": "not a migration",
    })
    const source = { id: "two-words", folder, globalTables: [] }
    deepEqual(await notes.db.migrate(source), { applied: ["0001_first.sql", "0002_second.sql"] })
    deepEqual(await notes.db.migrate(source), { applied: [] })
    equal(notes.logs.filter((line) => line.includes("migration applied") && line.includes("two-words")).length, 2)
  })

  it("cost one statement when there is nothing to do", async () => {
    await notes.reopen()
    // The other one has looked for the roles.
    equal(notes.db.statements.count, 2)
  })

  it("are refused when an applied file was changed", async () => {
    await rejects(notes.db.migrate({ id: "notes", folder: folderOf({ "0001_notes.sql": "SELECT 1;" }), globalTables: [] }), refusedFor(/changed after it had been applied/))
  })

  it("roll back whole when a statement fails, and can be mended", async () => {
    await rejects(notes.migrate("0002_half.sql", "ALTER TABLE notes.notes ADD COLUMN half text;\nALTER TABLE notes.nowhere ADD COLUMN half text;\n"), refusedFor(/nowhere/))
    await rejects(notes.db.tenant("notes", acme).any(sql.type(Nothing)`SELECT half FROM notes.notes`), /half/)
    deepEqual(await notes.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
    await notes.migrate("0002_half.sql", "ALTER TABLE notes.notes ADD COLUMN half text;")
  })

  it("cannot end their transaction", async () => {
    await rejects(notes.migrate("0003_commit.sql", "ALTER TABLE notes.notes ADD COLUMN kept text;\nCOMMIT;\n"), refusedFor(/transaction|COMMIT/i))
    await rejects(notes.db.tenant("notes", acme).any(sql.type(Nothing)`SELECT kept FROM notes.notes`), /kept/)
  })

  it("see the rows of all tenants when they fill a column", async () => {
    await notes.migrate("0003_filled.sql", "ALTER TABLE notes.notes ADD COLUMN filled boolean;\nUPDATE notes.notes SET filled = true;\n")
    const Filled = Type.Object({ filled: Type.Boolean() })
    for (const who of [acme, globex]) deepEqual(await notes.db.tenant("notes", who).any(sql.type(row(Filled))`SELECT filled FROM notes.notes`), [{ filled: true }])
  })

  for (const [what, text, reason] of [
    ["without tenant_id", "CREATE TABLE notes.bad (id int)", /notes\.bad: it has no column tenant_id\. Call kernel\.protect\('notes\.bad'\)/],
    ["that is not protected", "CREATE TABLE notes.bad (tenant_id uuid NOT NULL)", /not enabled/],
    ["whose protection spares the owner", "CREATE TABLE notes.bad (tenant_id uuid NOT NULL); ALTER TABLE notes.bad ENABLE ROW LEVEL SECURITY", /not forced/],
    [
      "without a policy",
      "CREATE TABLE notes.bad (tenant_id uuid NOT NULL); ALTER TABLE notes.bad ENABLE ROW LEVEL SECURITY; ALTER TABLE notes.bad FORCE ROW LEVEL SECURITY",
      /no policy/,
    ],
    [
      "with a policy of its own making",
      "CREATE TABLE notes.bad (tenant_id uuid NOT NULL); ALTER TABLE notes.bad ENABLE ROW LEVEL SECURITY; ALTER TABLE notes.bad FORCE ROW LEVEL SECURITY; CREATE POLICY tenant ON notes.bad USING (true)",
      /no policy for tenants/,
    ],
    [
      "with a second policy that opens it",
      "CREATE TABLE notes.bad (tenant_id uuid NOT NULL); SELECT kernel.protect('notes.bad'); CREATE POLICY more ON notes.bad USING (true)",
      /policy more would show/,
    ],
    ["that takes rows of nobody", "CREATE TABLE notes.bad (tenant_id uuid); SELECT kernel.protect('notes.bad')", /may be null/],
    ["that is a view with its owner's eyes", "CREATE VIEW notes.bad AS SELECT * FROM notes.notes", /security_invoker/],
    ["that is a materialized view", "CREATE MATERIALIZED VIEW notes.bad AS SELECT * FROM notes.notes", /cannot have row-level security/],
  ] as const) {
    it(`refuse a table ${what}`, async () => {
      await rejects(notes.migrate("0004_bad.sql", text), refusedFor(reason))
      await rejects(notes.db.unbound.any(sql.type(Nothing)`SELECT FROM notes.bad`), /does not exist/)
    })
  }

  it("take tables that the manifest lists as global, and views that ask as who asks", async () => {
    const folder = folderOf({
      "0001_global.sql":
        "CREATE TABLE atlas.countries (code text); GRANT SELECT ON atlas.countries TO {{app}}; CREATE VIEW atlas.notes WITH (security_invoker = true) AS SELECT * FROM notes.notes; GRANT SELECT ON atlas.notes TO {{app}}",
    })
    await notes.db.migrate({ id: "atlas", folder, globalTables: ["countries"] })
    const seen = await notes.db.tenant("atlas", acme).any(sql.type(row(Type.Object({ text: Type.String() })))`SELECT text FROM atlas.notes`)
    deepEqual(seen, [{ text: "of acme" }])
  })

  it("leave what another source has alone when they fail", async () => {
    await rejects(notes.db.migrate({ id: "broken", folder: folderOf({ "0001_broken.sql": "SELEC 1" }), globalTables: [] }), refusedFor(/syntax/))
    deepEqual(await notes.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
    ok(await notes.db.ping())
  })
})
