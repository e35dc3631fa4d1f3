import { rejects } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import fc from "fast-check"
import { gateMigration } from "./migration.ts"
import { gateStatement } from "./statement.ts"

const runs = { numRuns: 400 }

/** Names as people write them to get past a filter. */
const schema = fc.constantFrom(
  "kernel",
  "KERNEL",
  '"kernel"',
  'U&"k\\0065rnel"',
  "pg_catalog",
  "information_schema",
  "public",
  '"notes.notes"',
  '"Notes"',
  "notes_",
  "glossary",
  '" notes"',
  "notes/**/x",
)
const table = fc.constantFrom("tenants", "api_keys", '"api_keys"', "pg_authid", "notes", '"a.b"', '"a""b"')
const gap = fc.constantFrom("", " ", "/* notes. */", "\n", "--notes.\n")
/** No other schema has a table whose name is not qualified; PostgreSQL finds it by a path that is not ours. */
const foreign = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(schema, gap, gap, table).map(([of, before, after, name]) => `${of}${before}.${after}${name}`) },
  { weight: 1, arbitrary: table },
)

/** Places for a table that is read, one in another. */
const reading = fc.letrec<{ query: (table: string) => string; value: (table: string) => string }>((tie) => ({
  query: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(
      (name: string) => `SELECT 1 FROM ${name}`,
      (name: string) => `TABLE ${name}`,
      (name: string) => `SELECT 1 FROM notes.notes n LEFT JOIN ${name} ON true`,
      (name: string) => `SELECT 1 FROM (notes.notes CROSS JOIN ${name}) AS j`,
    ),
    fc
      .tuple(
        tie("query"),
        fc.constantFrom(
          "SELECT 1 FROM (@) AS s",
          "WITH c AS (@) SELECT 1 FROM c",
          "WITH RECURSIVE c AS (@) SELECT 1 FROM c",
          "SELECT 2 UNION ALL (@)",
          "(@) EXCEPT SELECT 1",
          "SELECT 1 FROM notes.notes n, LATERAL (@) AS l",
        ),
      )
      .map(
        ([inner, around]) =>
          (name: string) =>
            around.replace("@", () => inner(name)),
      ),
    fc
      .tuple(
        tie("value"),
        fc.constantFrom(
          "SELECT @",
          "SELECT 1 FROM notes.notes WHERE @ = 1",
          "VALUES (@)",
          "SELECT 1 FROM notes.notes ORDER BY @",
          "SELECT count(*) FROM notes.notes GROUP BY @",
          "SELECT 1 LIMIT @",
          "SELECT 1 FROM unnest(ARRAY[@]) AS t(a)",
          "SELECT sum(1) OVER (PARTITION BY @) FROM notes.notes",
        ),
      )
      .map(
        ([inner, around]) =>
          (name: string) =>
            around.replace("@", () => inner(name)),
      ),
  ),
  value: fc
    .tuple(
      tie("query"),
      fc.constantFrom(
        "(@)",
        "coalesce((@), 1)",
        "CASE WHEN EXISTS (@) THEN 1 END",
        "abs((@))::bigint",
        "(1 + (@))",
        "(ARRAY(@))[1]",
        "max((SELECT (@))) FILTER (WHERE 1 = ANY (@))",
      ),
    )
    .map(
      ([inner, around]) =>
        (name: string) =>
          around.replaceAll("@", () => inner(name)),
    ),
}))

/** Places for a table that is written, and for queries in changes. */
const changing = fc.oneof(
  fc
    .constantFrom(
      "INSERT INTO @ DEFAULT VALUES",
      "UPDATE @ SET a = 1",
      "DELETE FROM ONLY @ WHERE true",
      "MERGE INTO @ t USING notes.notes n ON true WHEN MATCHED THEN DELETE",
      "WITH c AS (DELETE FROM @ RETURNING 1) SELECT 1",
    )
    .map((around) => (name: string) => around.replace("@", () => name)),
  fc
    .tuple(
      reading.query,
      fc.constantFrom(
        "INSERT INTO notes.notes (key) (@)",
        "UPDATE notes.notes SET (a, b) = (@)",
        "DELETE FROM notes.notes WHERE EXISTS (@)",
        "INSERT INTO notes.notes (key) VALUES (1) ON CONFLICT (key) DO UPDATE SET body = (@)",
        "DELETE FROM notes.notes RETURNING (@)",
        "MERGE INTO notes.notes n USING (@) AS s ON true WHEN MATCHED THEN DO NOTHING",
      ),
    )
    .map(
      ([inner, around]) =>
        (name: string) =>
          around.replace("@", () => inner(name)),
    ),
)

const defining = fc
  .constantFrom(
    "CREATE TABLE @ (a int)",
    "CREATE TABLE notes.x (a int REFERENCES @)",
    "ALTER TABLE @ ADD COLUMN a int",
    "ALTER TABLE notes.x ADD FOREIGN KEY (a) REFERENCES @ (b)",
    "CREATE INDEX ON @ (a)",
    "DROP TABLE IF EXISTS notes.x, @",
    "ALTER TABLE @ RENAME TO x",
    "ALTER INDEX @ RENAME TO x",
    "CREATE TYPE @ AS ENUM ('a')",
    "COMMENT ON TABLE @ IS 'x'",
    "CREATE TABLE notes.x (LIKE @)",
    "CREATE TABLE notes.x () INHERITS (@)",
    "CREATE TABLE notes.x (a int DEFAULT (SELECT 1 FROM @))",
    "CREATE TABLE notes.x (a @)",
  )
  .map((around) => (name: string) => around.replace("@", () => name))

function isRefused(error: unknown): boolean {
  return failureOf(error)?.name === "kernel.sql_refused"
}

describe("a table of another schema", function anotherSchema() {
  this.timeout(120_000)

  it("is refused wherever a statement names it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(reading.query, changing), foreign, (around, name) => rejects(gateStatement(around(name), "notes"), isRefused, around(name))),
      runs,
    )
  })

  it("is refused wherever a migration names it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(defining, changing), foreign, (around, name) => rejects(gateMigration(around(name), "notes"), isRefused, around(name))),
      runs,
    )
  })

  it("is what makes the difference: with a table of its own the same statements pass", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(reading.query, changing), async (around) => {
        await gateStatement(around("notes.links"), "notes")
      }),
      runs,
    )
  })
})
