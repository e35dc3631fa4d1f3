import { checkCall, checkValueFunction } from "./functions.ts"
import {
  checkCollation,
  checkColumn,
  checkExpression,
  checkIndexElement,
  checkIndirection,
  checkLocked,
  checkOwn,
  checkRead,
  checkSample,
  checkSets,
  checkSort,
  checkSubLink,
  checkType,
} from "./names.ts"
import type { Statement } from "./parse.ts"
import { Refusal } from "./refusal.ts"
import { rowsOf } from "./rows.ts"
import { queryShapes } from "./shapes.ts"
import { type Checks, type Fields, type Scope, spoken, visit } from "./walk.ts"

const changing = new Set(["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"])

export const queryChecks: Checks = {
  RangeVar: checkRead,
  Target: checkOwn,
  LockingClause: checkLocked,
  ColumnRef: checkColumn,
  A_Indirection: checkIndirection,
  TypeName: checkType,
  A_Expr: checkExpression,
  SubLink: checkSubLink,
  SortBy: checkSort,
  CollateClause: checkCollation,
  RangeTableSample: checkSample,
  IndexElem: checkIndexElement,
  FuncCall: checkCall,
  SQLValueFunction: checkValueFunction,
  ResTarget: checkIndirection,
  UpdateStmt: checkSets,
  OnConflictClause: checkSets,
  MergeWhenClause: (fields, scope) => fields.commandType === "CMD_UPDATE" && checkSets(fields, scope),
  ParamRef: (_fields, { parameters }) => {
    if (!parameters) throw new Refusal("a migration has no parameters; write the value")
  },
  CommonTableExpr: ({ ctequery }) => {
    const [type = ""] = Object.keys(ctequery as Fields)
    if (type !== "SelectStmt" && !changing.has(type)) throw new Refusal(`${spoken(type)} cannot stand in WITH`)
  },
}

export function isQuery(type: string): boolean {
  return type === "SelectStmt" || changing.has(type)
}

/** Whether running it may change rows: also from within WITH. */
export function changesRows({ type, fields }: Statement): boolean {
  const bodies = ((fields.withClause as Fields | undefined)?.ctes ?? []) as { CommonTableExpr: { ctequery: Fields } }[]
  return changing.has(type) || bodies.some((node) => Object.keys(node.CommonTableExpr.ctequery).some((kind) => changing.has(kind)))
}

export function scopeFor(schema: string, statement: Statement, more: Partial<Scope> = {}): Scope {
  return { schema, shapes: queryShapes, checks: queryChecks, defined: new Set(), rows: rowsOf(statement.fields), parameters: true, ...more }
}

/** The words that a statement begins with. */
export function commandOf({ text }: Statement): string {
  return (/^(?:(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?)?\w+/i.exec(text)?.[0] ?? "this").replaceAll(/\s+/g, " ").toUpperCase()
}

/** One statement of a plugin: a query, or a change of rows of its own tables. */
export function judgeQuery(statements: readonly Statement[], schema: string): Statement {
  const [statement, second] = statements
  if (!statement) throw new Refusal("there is no statement in it")
  if (second) throw new Refusal("it holds several statements; send them one by one, and in a transaction when they belong together")
  if (!isQuery(statement.type)) throw new Refusal(`${commandOf(statement)} may not be run; only SELECT, INSERT, UPDATE, DELETE and MERGE may`)
  visit(statement.type, statement.fields, scopeFor(schema, statement))
  return statement
}
