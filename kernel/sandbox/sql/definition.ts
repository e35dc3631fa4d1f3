import { checkAlter, checkChange, checkComment, checkDrop, checkEnum, checkRename } from "./change-rules.ts"
import type { Statement } from "./parse.ts"
import { commandOf, isQuery, queryChecks, scopeFor } from "./query.ts"
import { Refusal } from "./refusal.ts"
import { queryShapes, type Shapes, shape } from "./shapes.ts"
import { checkCallOfTable, checkColumnDefinition, checkConstraint, checkIndex, checkTable, isOfKernel } from "./table-rules.ts"
import { type Checks, type Fields, visit } from "./walk.ts"

const own = { relation: "Target" }

/** The nodes of statements that define tables, beside those of queries. Not here: inheritance, partitions, tablespaces, storage, LIKE, views, functions, triggers, policies, grants. */
const definitionShapes: Shapes = new Map([
  ...queryShapes,
  ["CreateStmt", shape("tableElts options", "if_not_exists oncommit", own)],
  ["ColumnDef", shape("raw_default constraints", "colname is_local", { typeName: "TypeName", collClause: "CollateClause" })],
  [
    "Constraint",
    shape(
      "raw_expr keys including fk_attrs pk_attrs fk_del_set_cols options",
      "contype conname deferrable initdeferred skip_validation initially_valid is_enforced is_no_inherit generated_when generated_kind nulls_not_distinct indexname fk_matchtype fk_upd_action fk_del_action",
      { pktable: "Target" },
    ),
  ],
  ["DefElem", shape("arg", "defname defaction")],
  ["IndexStmt", shape("indexParams indexIncludingParams options whereClause", "idxname accessMethod unique nulls_not_distinct if_not_exists", own)],
  ["AlterTableStmt", shape("cmds", "objtype missing_ok", own)],
  ["AlterTableCmd", shape("def", "subtype name behavior missing_ok")],
  ["RenameStmt", shape("", "renameType relationType subname newname behavior missing_ok", own)],
  ["DropStmt", shape("", "removeType behavior missing_ok", { objects: "checked" })],
  ["CreateEnumStmt", shape("vals", "", { typeName: "checked" })],
  ["AlterEnumStmt", shape("", "oldVal newVal newValNeighbor newValIsAfter skipIfNewValExists", { typeName: "checked" })],
  ["CommentStmt", shape("", "objtype comment", { object: "checked" })],
])

/** Statements that define something, by their type. */
const definitions = new Set(["CreateStmt", "IndexStmt", "AlterTableStmt", "RenameStmt", "DropStmt", "CreateEnumStmt", "AlterEnumStmt", "CommentStmt"])

const definitionChecks: Checks = {
  ...queryChecks,
  CreateStmt: checkTable,
  ColumnDef: checkColumnDefinition,
  Constraint: checkConstraint,
  IndexStmt: checkIndex,
  AlterTableStmt: checkAlter,
  AlterTableCmd: checkChange,
  RenameStmt: checkRename,
  DropStmt: checkDrop,
  CommentStmt: checkComment,
  CreateEnumStmt: checkEnum,
  AlterEnumStmt: checkEnum,
  FuncCall: checkCallOfTable,
}

/** A migration runs as the owner of the plugin's tables, for all tenants at once: definitions of its own tables, changes of their rows, and the call of kernel.protect for one of them. */
export function judgeMigration(statements: readonly Statement[], schema: string): void {
  for (const statement of statements) {
    const { type, fields } = statement
    if (definitions.has(type)) visit(type, fields, scopeFor(schema, statement, { shapes: definitionShapes, checks: definitionChecks, parameters: false }))
    else if (type === "SelectStmt") checkProtect(fields, schema)
    else if (isQuery(type)) visit(type, fields, scopeFor(schema, statement, { parameters: false }))
    else throw new Refusal(`${commandOf(statement)} may not stand in a migration; it may define tables, indexes and enums, and change rows`)
  }
}

function checkProtect(fields: Fields, schema: string): void {
  const { targetList, limitOption, op, ...more } = fields as { targetList?: { ResTarget: Fields }[] } & Fields
  const [target, second] = targetList ?? []
  const { funcname, args, ...decoration } = ((target?.ResTarget.val as Fields | undefined)?.FuncCall ?? {}) as Fields
  const [table, another] = ((args ?? []) as { A_Const?: { sval?: { sval?: string } } }[]).map((node) => node.A_Const?.sval?.sval ?? "")
  const plain = Object.keys(decoration).every((member) => member === "funcformat" || member === "location") && Object.keys(more).length === 0 && !second && another === undefined
  if (plain && isOfKernel(funcname, "protect") && table !== undefined && new RegExp(`^${schema}\\.[a-z_][a-z0-9_]*$`).test(table)) return
  throw new Refusal(`a migration reads nothing but its tables for INSERT, UPDATE and DELETE; besides them there is SELECT kernel.protect('${schema}.<table>')`)
}
