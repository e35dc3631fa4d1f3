import { doesNotThrow, throws } from "node:assert/strict"
import { scopeFor } from "./query.ts"
import { visit } from "./walk.ts"

describe("the walk through a parse tree", () => {
  function walk(fields: Record<string, unknown>): void {
    visit("SelectStmt", fields, scopeFor("notes", { type: "SelectStmt", fields, text: "" }))
  }
  const one = { A_Const: { ival: { ival: 1 }, location: 7 } }

  it("knows what stands in a plain query", () => {
    doesNotThrow(() => walk({ targetList: [{ ResTarget: { val: one } }], limitOption: "LIMIT_OPTION_DEFAULT", op: "SETOP_NONE" }))
  })

  for (const [what, fields] of [
    ["a node that a later parser brings", { targetList: [{ ResTarget: { val: { TimeTravel: { arg: one } } } }] }],
    ["a node that only PostgreSQL makes", { targetList: [{ ResTarget: { val: { FuncExpr: { funcid: 2626, args: [one] } } } }] }],
    ["a new member of a node", { targetList: [], qualifyClause: one }],
    ["a node where a word stood", { targetList: [], limitOption: { A_Const: {} } }],
    ["a second type in one node", { targetList: [{ ResTarget: { val: one }, CopyStmt: {} }] }],
    ["a member of every object", { targetList: [{ constructor: {} }] }],
    ["a new member of WITH", { withClause: { ctes: [], materialize: true } }],
    ["a command inside of WITH", { withClause: { ctes: [{ CommonTableExpr: { ctename: "a", ctequery: { CopyStmt: {} } } }] } }],
  ] as const) {
    it(`refuses ${what}`, () => throws(() => walk(fields), { name: "Error", message: /not on the list|cannot be (judged|read)|cannot stand/ }))
  }
})
