/**
 * What a member of a node is: `nodes` (one or a list, each under its type's name), `plain` (a number, a word, a flag), `checked` (a rule of its own judges it),
 * or the type of the one node that stands there without its name.
 */
type Kind = string
export type Shapes = ReadonlyMap<string, ReadonlyMap<string, Kind>>

/** Members by kind, each list in one string. `location` is everywhere. */
export function shape(nodes: string, plain = "", typed: Readonly<Record<string, Kind>> = {}): ReadonlyMap<string, Kind> {
  const named = (list: string, kind: Kind) => list.split(" ").map((member): [string, Kind] => [member, kind])
  return new Map([["location", "plain"], ...named(nodes, "nodes"), ...named(plain, "plain"), ...Object.entries(typed)])
}

const relation = { relation: "Target" }
const returning = { returningClause: "ReturningClause", withClause: "WithClause" }
const json = { context_item: "JsonValueExpr", on_empty: "JsonBehavior", on_error: "JsonBehavior" }

/** Every node that a query may hold. Not here: SELECT INTO, cursors, XML, the constructors of SQL/JSON (functions make JSON too), and whatever comes with a later PostgreSQL. */
export const queryShapes: Shapes = new Map([
  [
    "SelectStmt",
    shape(
      "distinctClause targetList fromClause whereClause groupClause havingClause windowClause valuesLists sortClause limitOffset limitCount lockingClause",
      "groupDistinct limitOption op all",
      { withClause: "WithClause", larg: "SelectStmt", rarg: "SelectStmt" },
    ),
  ],
  ["InsertStmt", shape("cols selectStmt", "override", { ...relation, ...returning, onConflictClause: "OnConflictClause" })],
  ["UpdateStmt", shape("targetList whereClause fromClause", "", { ...relation, ...returning })],
  ["DeleteStmt", shape("usingClause whereClause", "", { ...relation, ...returning })],
  ["MergeStmt", shape("sourceRelation joinCondition mergeWhenClauses", "", { ...relation, ...returning })],
  ["MergeWhenClause", shape("condition targetList values", "matchKind commandType override")],
  ["OnConflictClause", shape("targetList whereClause", "action", { infer: "InferClause" })],
  ["InferClause", shape("indexElems whereClause", "conname")],
  ["IndexElem", shape("expr", "name indexcolname ordering nulls_ordering", { collation: "checked", opclass: "checked" })],
  ["ReturningClause", shape("options exprs")],
  ["ReturningOption", shape("", "option value")],
  ["LockingClause", shape("", "strength waitPolicy", { lockedRels: "checked" })],
  ["WithClause", shape("", "recursive", { ctes: "checked" })],
  ["CommonTableExpr", shape("aliascolnames ctequery", "ctename ctematerialized", { search_clause: "CTESearchClause", cycle_clause: "CTECycleClause" })],
  ["CTESearchClause", shape("search_col_list", "search_breadth_first search_seq_column")],
  ["CTECycleClause", shape("cycle_col_list cycle_mark_value cycle_mark_default", "cycle_mark_column cycle_path_column")],

  // A table that is read, and one that is written: a name of a WITH clause counts for the first alone.
  ["RangeVar", shape("", "schemaname relname inh relpersistence", { alias: "Alias" })],
  ["Target", shape("", "schemaname relname inh relpersistence", { alias: "Alias" })],
  ["Alias", shape("colnames", "aliasname")],
  ["RangeSubselect", shape("subquery", "lateral", { alias: "Alias" })],
  ["RangeFunction", shape("functions coldeflist", "lateral ordinality is_rowsfrom", { alias: "Alias" })],
  ["RangeTableSample", shape("relation args repeatable", "", { method: "checked" })],
  ["JoinExpr", shape("larg rarg usingClause quals", "jointype isNatural rtindex", { alias: "Alias", join_using_alias: "Alias" })],
  ["ColumnDef", shape("", "colname is_local", { typeName: "TypeName", collClause: "CollateClause" })],

  ["ResTarget", shape("val", "name", { indirection: "checked" })],
  ["ColumnRef", shape("", "", { fields: "checked" })],
  ["A_Const", shape("", "isnull", { ival: "checked", fval: "checked", boolval: "checked", sval: "checked", bsval: "checked" })],
  ["Integer", shape("", "ival")],
  ["Float", shape("", "fval")],
  ["Boolean", shape("", "boolval")],
  ["String", shape("", "sval")],
  ["List", shape("items")],
  ["ParamRef", shape("", "number")],
  ["A_Expr", shape("lexpr rexpr", "kind rexpr_list_start rexpr_list_end", { name: "checked" })],
  ["A_ArrayExpr", shape("elements", "list_start list_end")],
  ["A_Indirection", shape("arg indirection")],
  ["A_Indices", shape("lidx uidx", "is_slice")],
  ["BoolExpr", shape("args", "boolop")],
  ["NullTest", shape("arg", "nulltesttype argisrow")],
  ["BooleanTest", shape("arg", "booltesttype")],
  ["CaseExpr", shape("arg args defresult")],
  ["CaseWhen", shape("expr result")],
  ["CoalesceExpr", shape("args")],
  ["MinMaxExpr", shape("args", "op")],
  ["RowExpr", shape("args colnames", "row_format")],
  ["SubLink", shape("testexpr subselect", "subLinkType", { operName: "checked" })],
  ["TypeCast", shape("arg", "", { typeName: "TypeName" })],
  ["TypeName", shape("typmods arrayBounds", "typemod", { names: "checked" })],
  ["CollateClause", shape("arg", "", { collname: "checked" })],
  ["SQLValueFunction", shape("", "op typmod")],
  ["SetToDefault", shape("")],
  ["MultiAssignRef", shape("source", "colno ncolumns")],
  ["MergeSupportFunc", shape("", "msftype")],
  ["FuncCall", shape("args agg_order agg_filter", "agg_within_group agg_star agg_distinct func_variadic funcformat", { funcname: "checked", over: "WindowDef" })],
  ["NamedArgExpr", shape("arg", "name argnumber")],
  ["WindowDef", shape("partitionClause orderClause startOffset endOffset", "name refname frameOptions")],
  ["SortBy", shape("node", "sortby_dir sortby_nulls", { useOp: "checked" })],
  ["GroupingSet", shape("content", "kind")],
  ["GroupingFunc", shape("args")],

  ["JsonTable", shape("passing columns", "lateral", { ...json, pathspec: "JsonTablePathSpec", alias: "Alias" })],
  ["JsonTableColumn", shape("columns", "coltype name wrapper quotes", { ...json, typeName: "TypeName", pathspec: "JsonTablePathSpec", format: "JsonFormat" })],
  ["JsonTablePathSpec", shape("string", "name name_location")],
  ["JsonFuncExpr", shape("pathspec passing", "op column_name wrapper quotes", { ...json, output: "JsonOutput" })],
  ["JsonIsPredicate", shape("expr", "item_type unique_keys", { format: "JsonFormat" })],
  ["JsonValueExpr", shape("raw_expr formatted_expr", "", { format: "JsonFormat" })],
  ["JsonArgument", shape("", "name", { val: "JsonValueExpr" })],
  ["JsonBehavior", shape("expr", "btype coerce")],
  ["JsonOutput", shape("", "", { typeName: "TypeName", returning: "JsonReturning" })],
  ["JsonReturning", shape("", "typid typmod", { format: "JsonFormat" })],
  ["JsonFormat", shape("", "format_type encoding")],
])
