import { deepEqual, rejects } from "node:assert/strict"
import { builtinFunctions, extensionFunctions, volatileFunctions } from "./functions.ts"
import { type ScratchSql, scratchSql } from "./scratch.test.ts"

/** Names as a list in SQL. They are ours, and hold letters, digits and underscores. */
function list(names: Iterable<string>): string {
  return [...names].map((name) => `'${name}'`).join(", ")
}

describe("the functions that a sandboxed plugin may call", () => {
  let scratch: ScratchSql
  before(async () => {
    scratch = await scratchSql()
  })
  after(() => scratch.close())

  async function missing(names: Iterable<string>, schema: string): Promise<unknown[]> {
    const rows = await scratch.run(`SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace AND proname IN (${list(names)})`)
    const found = new Set(rows.map((row) => row.proname))
    return [...names].filter((name) => !found.has(name))
  }

  it("are functions of this PostgreSQL", async () => {
    deepEqual(await missing(builtinFunctions, "pg_catalog"), [])
  })

  it("are functions of the extensions", async () => {
    deepEqual(await missing(Object.values(extensionFunctions).flat(), "public"), [])
  })

  it("run with nobody else's rights", async () => {
    const names = [...builtinFunctions, ...Object.values(extensionFunctions).flat()]
    deepEqual(await scratch.run(`SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef AND proname IN (${list(names)})`), [])
  })

  it("are not volatile, but for those that are listed as it", async () => {
    const names = [...builtinFunctions].filter((name) => !volatileFunctions.has(name))
    deepEqual(await scratch.run(`SELECT oid::regprocedure::text FROM pg_proc WHERE provolatile = 'v' AND proname IN (${list(names)})`), [])
  })

  it("take no object of a catalog, no XML and no cursor, but for the names of text search configurations", async () => {
    const rows = await scratch.run(
      `SELECT p.oid::regprocedure::text AS function FROM pg_proc p, unnest(p.proargtypes::oid[]) AS a(type)
       WHERE p.prokind <> 'a' AND p.proname IN (${list(builtinFunctions)}) AND p.pronamespace = 'pg_catalog'::regnamespace AND a.type::regtype::text ~ '^(reg(?!config)|xml|oid|cstring|internal|aclitem|refcursor|pg_)'`,
    )
    deepEqual(rows, [])
  })

  it("do not include the columns that functions in FROM name themselves", async () => {
    const columns = "'key', 'value', 'ordinality'"
    deepEqual(await scratch.run(`SELECT proname FROM pg_proc WHERE proname IN (${columns}) UNION ALL SELECT typname FROM pg_type WHERE typname IN (${columns})`), [])
  })

  it("could be called by a name after a dot, which is why such names are judged", async () => {
    for (const text of [
      "SELECT ('kernel.tenants'::text).regclass::text AS found",
      "SELECT t.regclass::text AS found FROM unnest(ARRAY['kernel.tenants'::text]) AS t(name)",
      "SELECT regclass.regclass::text AS found FROM json_array_elements_text('[\"kernel.tenants\"]') AS regclass",
    ])
      deepEqual(await scratch.run(text), [{ found: "kernel.tenants" }])
  })

  it("could not by the name of a table, of a query or of VALUES: there it is a column, or a function of whole rows", async () => {
    for (const source of ["(SELECT 'kernel.tenants'::text) AS t", "(VALUES ('kernel.tenants'::text)) AS t", "kernel.tenants AS t"]) {
      await rejects(scratch.run(`SELECT t.regclass FROM ${source}`), { message: "column t.regclass does not exist" })
    }
  })
})
