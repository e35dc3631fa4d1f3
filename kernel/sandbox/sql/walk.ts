import { Refusal } from "./refusal.ts"
import type { Shapes } from "./shapes.ts"

/** The members of one node of a parse tree. Members that have their default value are absent. */
export type Fields = Readonly<Record<string, unknown>>

/** What a node is judged by besides itself. */
export interface Scope {
  /** The only schema whose tables and types may be named. */
  readonly schema: string
  readonly shapes: Shapes
  readonly checks: Checks
  /** Names that a WITH clause around this place defines. */
  readonly defined: ReadonlySet<string>
  /** Columns that may be read from a function in FROM, by its alias. */
  readonly rows: ReadonlyMap<string, ReadonlySet<string>>
  /** False in migrations, where nothing gives a parameter its value. */
  readonly parameters: boolean
}

/** A rule about nodes of one type. It throws a Refusal. */
export type Check = (fields: Fields, scope: Scope) => void
export type Checks = Readonly<Record<string, Check | undefined>>

/** Nodes above another one. More would not fit the stack of the embedded database; people write 30. */
const deepest = 400

/**
 * Walks a tree by an allow-list: a type of node, or a member of one, that the shapes do not name is refused. So syntax that nobody has looked at does not slip through.
 */
export function visit(type: string, fields: Fields, scope: Scope, depth = 0): void {
  if (depth > deepest) throw new Refusal("it is nested too deeply; split it")
  const shape = scope.shapes.get(type)
  if (!shape) throw new Refusal(`${spoken(type)} is not on the list of what may be used`)
  const inner = fields.withClause ? define(fields.withClause as Fields, scope, depth) : scope
  scope.checks[type]?.(fields, inner)
  for (const [member, value] of Object.entries(fields)) {
    const kind = shape.get(member)
    if (kind === undefined) throw new Refusal(`${spoken(type)} with ${spoken(member)} is not on the list of what may be used`)
    if (kind === "checked") continue
    if (kind === "nodes") visitNodes(value, inner, depth + 1)
    else if (kind !== "plain") visit(kind, value as Fields, inner, depth + 1)
    else if (typeof value === "object") throw new Refusal(`${spoken(type)} has a ${spoken(member)} that cannot be judged`)
  }
}

/** A node under the name of its type, `{ A_Const: { ... } }`, or a list of them. An empty one stands for something left out. */
function visitNodes(value: unknown, scope: Scope, depth: number): void {
  if (Array.isArray(value)) {
    for (const item of value) visitNodes(item, scope, depth)
    return
  }
  const [node, second] = Object.entries(value as Record<string, Fields>)
  if (second) throw new Refusal("the parse tree cannot be read")
  if (node) visit(node[0], node[1], scope, depth)
}

/** Judges the bodies of a WITH clause; what follows sees their names. A body sees the ones before it, and with RECURSIVE all of them. */
function define(clause: Fields, scope: Scope, depth: number): Scope {
  const bodies = (clause.ctes as { CommonTableExpr: Fields & { ctename: string } }[]).map((node) => node.CommonTableExpr)
  const defined = new Set(scope.defined)
  if (clause.recursive) for (const { ctename } of bodies) defined.add(ctename)
  const inner = { ...scope, defined }
  for (const body of bodies) {
    visit("CommonTableExpr", body, inner, depth + 1)
    defined.add(body.ctename)
  }
  return inner
}

/** `RangeTableFunc` as `range table func`: the parser's names are near enough to SQL's words. */
export function spoken(name: string): string {
  return name
    .replace(/(Stmt|Clause)$/, "")
    .replace(/^AT_/, "")
    .replaceAll("_", " ")
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase()
}

/** The texts of a list of String nodes: the parts of a name. A `*` among them is null. */
export function partsOf(names: unknown): (string | null)[] {
  return ((names ?? []) as { String?: { sval?: string } }[]).map((node) => (node.String ? (node.String.sval ?? "") : null))
}
