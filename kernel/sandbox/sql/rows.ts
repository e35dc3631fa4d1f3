import { Refusal } from "./refusal.ts"
import { type Fields, partsOf, type Scope } from "./walk.ts"

/**
 * A function in FROM may be read as a table under an alias. PostgreSQL takes `t.pg_read_file` for a call of that function when `t` is such an alias and has no column of that name,
 * so its columns have to be known here: those that the alias lists, and those of the functions that name their own.
 */
export function rowsOf(statement: Fields): Scope["rows"] {
  const rows = new Map<string, ReadonlySet<string>>()
  // Without recursion: how deep a tree may be is judged later.
  const open: unknown[] = [statement]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== "object" || node === null) continue
    if ("RangeFunction" in node) addRow(node.RangeFunction as Fields, rows)
    open.push(...Object.values(node))
  }
  return rows
}

function addRow({ alias, functions, coldeflist }: Fields, rows: Map<string, ReadonlySet<string>>): void {
  const { aliasname, colnames } = (alias ?? {}) as { aliasname?: string; colnames?: unknown }
  const columns = new Set(["key", "value", "ordinality", ...partsOf(colnames).map(String)])
  for (const node of (coldeflist ?? []) as { ColumnDef: { colname: string } }[]) columns.add(node.ColumnDef.colname)
  const name = aliasname ?? calledIn(functions)
  const known = rows.get(name)
  // Two functions under one name: what both have.
  rows.set(name, known ? known.intersection(columns) : columns)
}

function calledIn(functions: unknown): string {
  const [list] = functions as [{ List: { items: [{ FuncCall?: Fields }] } }]
  const call = list.List.items[0].FuncCall
  if (!call) throw new Refusal("what stands in FROM needs a name; write AS t(column) behind it")
  return partsOf(call.funcname).at(-1) ?? ""
}
