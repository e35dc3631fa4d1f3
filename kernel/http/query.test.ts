import { deepEqual, throws } from "node:assert/strict"
import { parse } from "node:querystring"
import { PageQuery } from "@plugboard/sdk"
import { Type } from "typebox"
import { textsChecker } from "./query.ts"

describe("a query", () => {
  const schema = Type.Object({
    name: Type.Optional(Type.String()),
    ids: Type.Optional(Type.Array(Type.Integer())),
    deep: Type.Optional(Type.Boolean()),
    score: Type.Optional(Type.Number()),
    limit: Type.Integer({ default: 20, minimum: 1, maximum: 200 }),
    offset: Type.Integer({ default: 0, minimum: 0 }),
  })
  const check = textsChecker(schema, "query")
  const page = { limit: 20, offset: 0 }

  it("gets the types of its schema", () => {
    deepEqual(check(parse("name=5&ids=1&ids=2&deep=true&score=1.5")), { ...page, name: "5", ids: [1, 2], deep: true, score: 1.5 })
    deepEqual(check(parse("ids=1")), { ...page, ids: [1] })
  })

  it("takes the last of a repeated name, and keeps what nobody declared from harming", () => {
    deepEqual(check(parse("name=a&name=b")), { ...page, name: "b" })
    deepEqual(check(parse("__proto__=1&constructor=2&other=3")), { ...page, constructor: "2", other: "3" })
  })

  it("is never wrong about pages", () => {
    for (const [query, limit, offset] of [
      ["limit=50&offset=10", 50, 10],
      ["limit=abc&offset=abc", 20, 0],
      ["limit=0&offset=-1", 20, 0],
      ["limit=-5", 20, 0],
      ["limit=201", 200, 0],
      ["limit=99999999999999999999", 20, 0],
      ["limit=1.5&offset=", 20, 0],
      ["limit=1&limit=2", 2, 0],
      ["limit=1e2", 100, 0],
      ["limit=Infinity", 20, 0],
    ] as const) {
      deepEqual([query, check(parse(query))], [query, { limit, offset }])
    }
  })

  it("is refused where anything else does not fit", () => {
    for (const query of ["deep=maybe", "score=x", "ids=x"]) throws(() => check(parse(query)), /invalid_request/)
    throws(() => check(parse("name=a%00")), /invalid_request/)
  })

  it("is taken with a NUL where it is a page, or nobody knows the name", () => {
    const texts = textsChecker(PageQuery, "query")
    deepEqual(texts(parse("limit=%001&offset=2&other=%00")), { offset: "2" })
    deepEqual(check(parse("limit=%001&offset=2")), { limit: 20, offset: 2 })
  })
})
