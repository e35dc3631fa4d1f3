import { Refusal } from "./refusal.ts"
import { type Check, partsOf, type Scope, spoken } from "./walk.ts"

const columnChanges = ["AddColumn", "DropColumn", "ColumnDefault", "DropNotNull", "SetNotNull", "AlterColumnType", "AddIdentity", "DropIdentity", "DropExpression"]
const changes = new Set([...columnChanges, "AddConstraint", "DropConstraint", "ValidateConstraint"].map((name) => `AT_${name}`))

export const checkAlter: Check = ({ objtype }) => {
  if (objtype !== "OBJECT_TABLE") throw new Refusal(`ALTER of ${String(objtype).replace("OBJECT_", "")} is not on the list; only tables may be altered`)
}

export const checkChange: Check = ({ subtype, name, behavior }) => {
  if (!changes.has(String(subtype)))
    throw new Refusal(`the change ${spoken(String(subtype))} of a table is not on the list; row-level security, owners, storage and triggers are the gateway's`)
  if (name === "tenant_id") throw new Refusal("the column tenant_id may not be changed or dropped: it keeps tenants apart")
  checkNoCascade(behavior)
}

function checkNoCascade(behavior: unknown): void {
  if (behavior === "DROP_CASCADE") throw new Refusal("CASCADE drops more than it names; drop what depends on it first")
}

const renamed = new Set(["OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_INDEX"])

export const checkRename: Check = ({ renameType, relationType, subname, newname, behavior }) => {
  if (!renamed.has(String(renameType)) || (renameType === "OBJECT_COLUMN" && relationType !== "OBJECT_TABLE")) {
    throw new Refusal("only tables, their columns, constraints and indexes may be renamed")
  }
  if (renameType === "OBJECT_COLUMN" && (subname === "tenant_id" || newname === "tenant_id"))
    throw new Refusal("no column may be renamed from or to tenant_id: it keeps tenants apart")
  checkNoCascade(behavior)
}

/** Names that stand in lists and not in a RangeVar: `schema.name`, and for a column one part more. */
function checkOwnName(names: unknown, { schema }: Scope, length = 2): void {
  const parts = partsOf(names)
  if (parts.length !== length || parts[0] !== schema)
    throw new Refusal(`${parts.join(".")} is not written as ${schema}.<name>; only what is in the plugin's own schema may be changed`)
}

function itemsOf(node: unknown): unknown {
  const { List, TypeName } = node as { List?: { items: unknown }; TypeName?: { names: unknown } }
  return List?.items ?? TypeName?.names
}

export const checkDrop: Check = ({ objects, removeType, behavior }, scope) => {
  if (!["OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_TYPE"].includes(String(removeType))) throw new Refusal("only tables, indexes and types may be dropped")
  for (const object of objects as unknown[]) checkOwnName(itemsOf(object), scope)
  checkNoCascade(behavior)
}

export const checkComment: Check = ({ objtype, object }, scope) => {
  if (objtype !== "OBJECT_TABLE" && objtype !== "OBJECT_COLUMN") throw new Refusal("only tables and their columns may have comments")
  checkOwnName(itemsOf(object), scope, objtype === "OBJECT_COLUMN" ? 3 : 2)
}

export const checkEnum: Check = ({ typeName }, scope) => checkOwnName(typeName, scope)
