import { checkCall } from "./functions.ts"
import { Refusal } from "./refusal.ts"
import { type Check, type Fields, partsOf } from "./walk.ts"

const tenantColumn = "tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant()"

export function isOfKernel(names: unknown, name: string): boolean {
  const [schema, called, ...more] = partsOf(names)
  return schema === "kernel" && called === name && more.length === 0
}

/** The one function outside PostgreSQL's own that a definition may call: it is how rows get their tenant. */
function isTenantDefault(node: unknown): boolean {
  const { funcname, args } = ((node as Fields | undefined)?.FuncCall ?? {}) as Fields
  return isOfKernel(funcname, "bound_tenant") && args === undefined
}

interface ConstraintNode {
  Constraint: { contype: string; raw_expr?: unknown }
}

export const checkColumnDefinition: Check = ({ colname, typeName, constraints }) => {
  if (colname !== "tenant_id") return
  const parts = (constraints ?? []) as ConstraintNode[]
  const type = partsOf((typeName as Fields).names).at(-1)
  const present = parts.some(({ Constraint }) => Constraint.contype === "CONSTR_NOTNULL")
  const filled = parts.some(({ Constraint }) => Constraint.contype === "CONSTR_DEFAULT" && isTenantDefault(Constraint.raw_expr))
  if (type !== "uuid" || !present || !filled) throw new Refusal(`the column tenant_id is written ${tenantColumn}`)
}

export const checkCallOfTable: Check = (fields, scope) => {
  if (!isTenantDefault({ FuncCall: fields })) checkCall(fields, scope)
}

const constraints = new Set(
  "NULL NOTNULL DEFAULT IDENTITY GENERATED CHECK PRIMARY UNIQUE FOREIGN ATTR_DEFERRABLE ATTR_NOT_DEFERRABLE ATTR_DEFERRED ATTR_IMMEDIATE"
    .split(" ")
    .map((name) => `CONSTR_${name}`),
)
const numbering = ["start", "increment", "minvalue", "maxvalue", "cache", "cycle"]

export const checkConstraint: Check = ({ contype, options }) => {
  const name = String(contype).replace("CONSTR_", "")
  if (!constraints.has(String(contype))) throw new Refusal(`constraints of the kind ${name} are not on the list; write a CHECK, a key or an index`)
  checkOptions(options, contype === "CONSTR_IDENTITY" ? numbering : ["fillfactor"])
}

function checkOptions(options: unknown, known: readonly string[]): void {
  for (const { DefElem } of (options ?? []) as { DefElem: { defname: string } }[]) {
    if (!known.includes(DefElem.defname)) throw new Refusal(`the option ${DefElem.defname} is not on the list; there is ${known.join(", ")}`)
  }
}

export const checkTable: Check = ({ options, oncommit }) => {
  if (oncommit !== undefined && oncommit !== "ONCOMMIT_NOOP") throw new Refusal("a temporary table is not kept; make a plain one")
  checkOptions(options, ["fillfactor"])
}

const indexKinds = ["btree", "hash", "gin", "gist", "brin", "hnsw", "ivfflat"]
const indexOptions = ["fillfactor", "fastupdate", "pages_per_range", "lists", "m", "ef_construction"]

export const checkIndex: Check = ({ accessMethod, options }) => {
  if (accessMethod !== undefined && !indexKinds.includes(String(accessMethod)))
    throw new Refusal(`indexes of the kind ${accessMethod} are not on the list; there is ${indexKinds.join(", ")}`)
  checkOptions(options, indexOptions)
}
