import type { ErrorDetail } from "@plugboard/sdk"
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv"
import addFormats from "ajv-formats"
import type { TSchema } from "typebox"
import { fail } from "./failures.ts"
import { unstorableIn } from "./storable.ts"

/** `query`: texts become the types of the schema. `body`: types are taken as they are, and null stands for absent where the schema has no null. What nobody can store is refused in either, but for members that the schema does not know. */
export type Mode = "query" | "body"

interface Node {
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Node[]
  oneOf?: Node[]
  allOf?: Node[]
  $ref?: string
  properties?: Record<string, Node>
  additionalProperties?: unknown
  items?: Node
}

type Check = (value: unknown, where: string) => unknown

const compiled = { query: new WeakMap<TSchema, Check>(), body: new WeakMap<TSchema, Check>() }
let compilers: Record<Mode, Ajv> | undefined

/**
 * A function that gives the value back with defaults filled in, or throws `kernel.invalid_request` with the path, the rule and the type of each field that does not fit.
 * Compiled when first called: a gateway has hundreds of schemas, and a start needs none of them.
 */
export function compileValidator(schema: TSchema, mode: Mode): Check {
  const known = compiled[mode].get(schema)
  if (known) return known
  let validate: ValidateFunction | undefined
  const nulls = mode === "body" ? nullsOf(schema as Node) : undefined
  const check: Check = (value, where) => {
    let unstorable = unstorableIn(value)
    if (unstorable) {
      dropUnknown(schema as Node, value)
      unstorable = unstorableIn(value)
    }
    if (unstorable) throw fail("invalid_request", { where, reason: `${unstorable.path || "/"} ${unstorable.message}` }, { details: [unstorable] })
    validate ??= compilerOf(mode).compile(schema)
    nulls?.(value)
    if (validate(value)) return value
    throw fail("invalid_request", { where, reason: reasonOf(validate.errors ?? []) }, { details: detailsOf(validate.errors ?? []) })
  }
  compiled[mode].set(schema, check)
  return check
}

function compilerOf(mode: Mode): Ajv {
  if (!compilers) {
    const shared = { useDefaults: true, allErrors: false, strict: false, verbose: true, ownProperties: true } as const
    compilers = { query: new Ajv({ ...shared, coerceTypes: true }), body: new Ajv(shared) }
    for (const ajv of Object.values(compilers)) (addFormats as unknown as (ajv: Ajv) => void)(ajv)
  }
  return compilers[mode]
}

function detailsOf(errors: readonly ErrorObject[]): ErrorDetail[] {
  return errors.slice(0, 10).map((error) => ({ path: pathOf(error), rule: error.keyword, message: messageOf(error) }))
}

function reasonOf(errors: readonly ErrorObject[]): string {
  const [error] = errors
  return error ? `${pathOf(error) || "/"} ${messageOf(error)}` : "it does not fit"
}

function pathOf(error: ErrorObject): string {
  const { missingProperty, additionalProperty } = error.params as { missingProperty?: string; additionalProperty?: string }
  const member = missingProperty ?? additionalProperty
  return member === undefined ? error.instancePath : `${error.instancePath}/${member}`
}

function messageOf(error: ErrorObject): string {
  const text = error.message ?? "does not fit"
  if (error.keyword === "required") return "is required"
  if (error.keyword === "type") return `${text}, not ${typeName(error.data)}`
  if (error.keyword === "enum") return `must be one of ${((error.params as { allowedValues: unknown[] }).allowedValues ?? []).map((value) => JSON.stringify(value)).join(", ")}`
  return text
}

function typeName(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value
}

/** Members that nobody knows are ignored, whatever they hold; so here goes what could not even be ignored safely. Source: wire contract, http-core 1.4. */
function dropUnknown(node: Node, value: unknown): void {
  if (typeof value !== "object" || value === null) return
  const { items, properties, additionalProperties } = node
  if (items && Array.isArray(value)) for (const item of value) dropUnknown(items, item)
  if (!properties || additionalProperties !== undefined) return
  for (const [name, member] of Object.entries(value)) {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (known) dropUnknown(known, member)
    else if (unstorableIn({ [name]: member })) delete (value as Record<string, unknown>)[name]
  }
}

function admitsNull(node: Node): boolean {
  if (node.type !== undefined) return [node.type].flat().includes("null")
  if (node.enum) return node.enum.includes(null)
  if ("const" in node) return node.const === null
  const branches = node.anyOf ?? node.oneOf
  if (branches) return branches.some(admitsNull)
  return true
}

/** Removes members that are null where the schema has no null; undefined when there is nothing to remove anywhere. */
function nullsOf(node: Node): ((value: unknown) => void) | undefined {
  const members = Object.entries(node.properties ?? {}).map(([name, inner]) => ({ name, drop: !admitsNull(inner), inside: nullsOf(inner) }))
  // Of several shapes one at most can be told by its members.
  const branches = (node.anyOf ?? node.oneOf ?? []).flatMap((branch) => nullsOf(branch) ?? [])
  if (branches.length === 1) return branches[0]
  const item = node.items ? nullsOf(node.items) : undefined
  if (item) return (value) => Array.isArray(value) && value.forEach(item)
  const relevant = members.filter((member) => member.drop || member.inside)
  if (relevant.length === 0) return undefined
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return
    const object = value as Record<string, unknown>
    for (const { name, drop, inside } of relevant) {
      const present = object[name]
      if (present === null && drop) delete object[name]
      else if (present !== undefined && present !== null) inside?.(present)
    }
  }
}
