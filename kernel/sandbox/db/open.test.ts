import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { isError } from "@plugboard/sdk"
import { acme, callerOf, globex, allNotes as noteTexts } from "../../db/notes.test.ts"
import { type Terms, termsDatabase } from "./terms.test.ts"

describe("the database of a sandboxed plugin", function () {
  this.timeout(30_000)
  let terms: Terms
  const ask = (text: string, values: readonly unknown[] = [], caller = acme) => terms.plugin.query(caller, text, values)

  before(async () => {
    terms = await termsDatabase()
  })
  after(() => terms.drop())
  beforeEach(async () => {
    for (const caller of [acme, globex]) {
      await ask("DELETE FROM glossary.terms", [], caller)
      await terms.add(caller, "shared", `of ${caller.tenantId}`)
    }
  })

  it("shows a tenant its own rows, with no WHERE in the text, and writes them for it", async () => {
    await terms.add(acme, "SLA", "Service level agreement")
    deepEqual(await terms.names(acme), ["SLA", "shared"])
    deepEqual(await terms.names(globex), ["shared"])
    const { rows, rowCount } = await ask("UPDATE glossary.terms SET meaning = $1 RETURNING name, meaning", ["changed"], globex)
    deepEqual([rows, rowCount], [[{ name: "shared", meaning: "changed" }], 1])
  })

  it("shows nothing while no tenant is bound", async () => {
    deepEqual(await terms.names(callerOf("")), [])
  })

  it("keeps tenants apart when their queries interleave", async () => {
    const seen = await Promise.all(Array.from({ length: 60 }, (_, index) => ask("SELECT meaning FROM glossary.terms", [], index % 2 ? acme : globex)))
    for (const [index, { rows }] of seen.entries()) deepEqual(rows, [{ meaning: `of ${(index % 2 ? acme : globex).tenantId}` }])
  })

  it("takes values as parameters only", async () => {
    const hostile = "'); DROP TABLE glossary.terms; --"
    await terms.add(acme, hostile)
    deepEqual(await terms.names(acme), [hostile, "shared"])
    const circle: unknown[] = []
    circle.push({ circle })
    await rejects(ask("SELECT $1::jsonb AS j", [circle]))
    await rejects(ask("SELECT $1::text AS t", ["\0"]), (error) => isError(error, "kernel.invalid_request"))
    await rejects(ask("SELECT $1::int AS t", []), /bind message supplies 0 parameters/)
    deepEqual((await ask("SELECT $1::jsonb AS j, $2::int AS i", [{ a: [1] }, 7])).rows, [{ j: { a: [1] }, i: 7 }])
  })

  it("refuses a text that does not pass the gate", async () => {
    for (const text of ["SELECT set_config('role', 'none', false)", "RESET ROLE", "SELECT text FROM notes.notes", "SELECT 1; SELECT 2", "SELECT * FROM kernel.tenants"])
      await rejects(ask(text), (error) => isError(error, "kernel.sql_refused"))
  })

  it("tells a violated constraint by code and name", async () => {
    const error = (await terms.add(acme, "shared").catch((caught: unknown) => caught)) as Error & { constraint?: string; cause?: { code?: string } }
    equal(error.constraint, "terms_tenant_id_name_key")
    deepEqual(await terms.names(acme), ["shared"])
  })

  it("answers with 10,000 rows, and refuses one more", async () => {
    equal((await ask("SELECT i FROM generate_series(1, 10000) AS s(i)")).rows.length, 10_000)
    await rejects(ask("SELECT i FROM generate_series(1, 73) AS a(i), generate_series(1, 137) AS b(j)"), tooLarge)
    await rejects(ask("SELECT i FROM generate_series(1, 10000) AS a(i), generate_series(1, 100) AS b(j)"), tooLarge)
    deepEqual(await terms.names(acme), ["shared"])
  })

  it("refuses an answer of more than 8 MiB", async () => {
    const tenKilobytes = (count: number) => `SELECT repeat('x', 10000) AS x FROM generate_series(1, ${count}) AS s(i)`
    equal((await ask(tenKilobytes(830))).rows.length, 830)
    for (const count of [850, 1_600, 3_000]) await rejects(ask(tenKilobytes(count)), tooLarge)
    deepEqual(await terms.names(acme), ["shared"])
  })

  it("undoes what a statement wrote whose answer was too large", async () => {
    await rejects(
      ask("INSERT INTO glossary.terms (name, meaning) SELECT 'many ' || i || ' ' || j, '' FROM generate_series(1, 10000) AS a(i), generate_series(1, 2) AS b(j) RETURNING name"),
      tooLarge,
    )
    deepEqual(await terms.names(acme), ["shared"])
    const tx = await terms.plugin.transaction(acme)
    await tx.query("INSERT INTO glossary.terms (name, meaning) VALUES ('one', '')", [])
    await rejects(
      tx.query(
        "INSERT INTO glossary.terms (name, meaning) SELECT 'many ' || i || ' ' || j, '' FROM generate_series(1, 10000) AS a(i), generate_series(1, 2) AS b(j) RETURNING name",
        [],
      ),
      tooLarge,
    )
    await rejects(tx.commit({ audit: [], events: [], jobs: [] }), /had failed/)
    deepEqual(await terms.names(acme), ["shared"])
  })

  it("runs on after errors of every kind", async () => {
    for (let round = 0; round < 5; round += 1) {
      await rejects(ask("SELECT 1 / 0 AS x"), /division/)
      await rejects(ask("SELECT nothing FROM glossary.terms"), /nothing/)
      await rejects(ask("SELECT $1::int AS i", ["x"]), /invalid input|x/)
      deepEqual(await terms.names(acme), ["shared"])
      deepEqual(await terms.db.tenant("notes", acme).any({ ...noteTexts }), [{ text: "of acme" }])
    }
  })

  it("leaves its tables out of the app role's reach", async () => {
    await rejects(terms.db.tenant("notes", acme).any({ ...noteTexts, sql: "SELECT name AS text FROM glossary.terms" }), /permission denied/)
  })

  it("logs no password, and no word of its sandbox", () => {
    ok(!terms.logs.some((line) => line.includes(terms.db.inside.roles.word)))
  })
})

function tooLarge(error: unknown): boolean {
  return isError(error, "kernel.answer_too_large")
}
