import { isDeepStrictEqual } from "node:util"

export type Json = Readonly<Record<string, unknown>>

/** As much of JSON Schema as says where secrets are. */
interface Node {
  format?: string
  writeOnly?: boolean
  properties?: Record<string, Node>
  additionalProperties?: Node | boolean
  patternProperties?: Record<string, Node>
  items?: Node
  anyOf?: Node[]
  oneOf?: Node[]
  allOf?: Node[]
}

/** What stands for a secret that is not shown. */
const mask = "***"

/** A secret at rest. No setting of a plugin can look like it: it is made of settings that were checked. */
interface Sealed {
  $sealed: string
}
type Seal = (field: string, clear: string) => string

/** Settings as the plugin gets them: what the file says wins, member by member. */
export function mergeSettings(stored: Json, file: Json): Json {
  const merged: Record<string, unknown> = { ...stored }
  for (const [name, value] of Object.entries(file)) merged[name] = isObject(value) && isObject(merged[name]) ? mergeSettings(merged[name], value) : value
  return merged
}

/** Keys that the file names, with dots: `network.hosts`. A list is one key. */
export function keysOf(file: Json, above = ""): string[] {
  return Object.entries(file).flatMap(([name, value]) => (isObject(value) && Object.keys(value).length > 0 ? keysOf(value, `${above}${name}.`) : [`${above}${name}`]))
}

/** Settings without what the file says; the first key that says otherwise is named. */
export function withoutFile(given: Json, file: Json, above = ""): { rest: Json } | { locked: string } {
  const rest: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const fixed = file[name]
    if (!(name in file)) rest[name] = value
    else if (isObject(fixed) && isObject(value)) {
      const inner = withoutFile(value, fixed, `${above}${name}.`)
      if ("locked" in inner) return inner
      if (Object.keys(inner.rest).length > 0) rest[name] = inner.rest
    } else if (value !== mask && !isDeepStrictEqual(value, fixed)) return { locked: `${above}${name}` }
  }
  return { rest }
}

/** Settings as they may be shown. */
export function masked(settings: Json, schema: object | undefined): Json {
  return mapSecrets(settings, schema as Node | undefined, () => mask) as Json
}

/** Settings as they are stored. A secret that comes as `***` is the one that is `stored` there; `missing` names the first that is not. */
export function sealSettings(given: Json, schema: object | undefined, stored: Json, seal: Seal): { sealed: Json } | { missing: string } {
  let missing: string | undefined
  const sealed = mapSecrets(given, schema as Node | undefined, (clear, field) => {
    if (clear !== mask) return { $sealed: seal(field, clear) }
    const kept = at(stored, field)
    if (kept === undefined) missing ??= field
    return kept
  })
  return missing === undefined ? { sealed: sealed as Json } : { missing }
}

/** Wherever a secret stands, also where a newer version of the plugin has none. */
export function openSettings(stored: Json, open: Seal): Json {
  const opened = (value: unknown, field: string): unknown => {
    if (isSealed(value)) return open(field, value.$sealed)
    return mapMembers(value, (member, name) => opened(member, join(field, name)))
  }
  return opened(stored, "") as Json
}

/** Calls `change` for each text that the schema declares as a secret: `format: "password"`, or `writeOnly`. */
function mapSecrets(value: unknown, schema: Node | undefined, change: (secret: string, field: string) => unknown, field = ""): unknown {
  if (schema === undefined) return value
  if (typeof value === "string") return isSecret(schema) ? change(value, field) : value
  return mapMembers(value, (member, name) => mapSecrets(member, memberOf(schema, name), change, join(field, name)))
}

function isSecret(schema: Node): boolean {
  return schema.format === "password" || schema.writeOnly === true || branches(schema).some(isSecret)
}

/** Schema of a member, or of any item; where several may hold, all of them together. */
function memberOf(schema: Node, name: string): Node | undefined {
  const own = schema.items ?? schema.properties?.[name]
  // A pattern of somebody else's is not tried: whatever it may be about counts.
  const others = [schema.additionalProperties, ...Object.values(schema.patternProperties ?? {})].filter((one): one is Node => isObject(one))
  const found = [...(own ? [own] : others), ...branches(schema).map((branch) => memberOf(branch, name))].filter((one) => one !== undefined)
  return found.length > 1 ? { anyOf: found } : found[0]
}

function branches({ anyOf = [], oneOf = [], allOf = [] }: Node): Node[] {
  return [...anyOf, ...oneOf, ...allOf]
}

function mapMembers(value: unknown, change: (member: unknown, name: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item, index) => change(item, String(index)))
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, change(member, name)])) : value
}

function at(settings: unknown, field: string): unknown {
  return field.split(".").reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], settings)
}

function join(above: string, name: string): string {
  return above === "" ? name : `${above}.${name}`
}

function isSealed(value: unknown): value is Sealed {
  return isObject(value) && typeof value.$sealed === "string" && Object.keys(value).length === 1
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
