import type { Manifest } from "@plugboard/sdk"

/** Of one schema of a package: what walks it calls itself, and it stands in documents that everybody reads. */
const most = { levels: 24, parts: 2_000 }

const lists = new Set(["anyOf", "oneOf", "allOf", "prefixItems"])
const maps = new Set(["properties", "patternProperties", "$defs", "definitions"])
const single = new Set(["items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"])
const texts = new Set(["$ref", "$id", "pattern", "format", "title", "description"])
const names = new Set(["required", "enum", "examples"])

/** What is wrong with a schema of the manifest, whose author nobody knows; undefined when all can be shown and walked. */
export function oddSchema(manifest: Manifest): string | undefined {
  for (const [where, schema] of schemasOf(manifest)) {
    const count = { parts: 0 }
    const odd = oddPart(schema, count, most.levels)
    if (odd) return `the schema of ${where} has ${odd}`
  }
  return undefined
}

function* schemasOf({ config, routes, rpc, events, jobs, errors }: Manifest): Generator<[where: string, schema: unknown]> {
  if (config) yield ["config", config]
  for (const [name, route] of Object.entries(routes ?? {})) {
    const { params, query, body, reply } = route as Record<string, unknown>
    for (const part of [params, query, formOf(body), ...[reply].flat().map(eventOf)]) if (part !== undefined) yield [`route ${name}`, part]
  }
  for (const [name, { params, result }] of Object.entries(rpc ?? {})) for (const part of [params, result]) if (part !== undefined) yield [`method ${name}`, part]
  for (const [name, { payload }] of Object.entries(events ?? {})) yield [`event ${name}`, payload]
  for (const [name, { data }] of Object.entries(jobs ?? {})) yield [`job ${name}`, data]
  for (const [name, { params }] of Object.entries(errors ?? {})) if (params !== undefined) yield [`error ${name}`, params]
}

function formOf(body: unknown): unknown {
  const { bodyKind, fields } = (body ?? {}) as { bodyKind?: string; fields?: unknown }
  return bodyKind === undefined ? body : (fields ?? {})
}

function eventOf(reply: unknown): unknown {
  const { replyKind, event } = (reply ?? {}) as { replyKind?: string; event?: unknown }
  return replyKind === undefined ? reply : (event ?? {})
}

/** What is wrong with a schema, or one in it; `count` is shared by all of one. */
export function oddPart(schema: unknown, count: { parts: number }, levels: number): string | undefined {
  if (typeof schema === "boolean") return undefined
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return "something else in the place of a schema"
  count.parts += 1
  if (count.parts > most.parts) return `more than ${most.parts} parts`
  if (levels === 0) return `more than ${most.levels} levels`
  for (const [word, value] of Object.entries(schema)) {
    const inner = partsOf(word, value)
    if (inner === undefined) return `a ${word} that is none`
    for (const part of inner) {
      const odd = oddPart(part, count, levels - 1)
      if (odd) return odd
    }
  }
  return undefined
}

/** The schemas in the value of a keyword; undefined when the keyword cannot have that value. */
function partsOf(word: string, value: unknown): unknown[] | undefined {
  if (texts.has(word)) return typeof value === "string" && value.length <= 4_000 ? [] : undefined
  if (names.has(word)) return Array.isArray(value) && value.length <= most.parts ? [] : undefined
  if (word === "type") return [value].flat().every((type) => typeof type === "string") ? [] : undefined
  if (lists.has(word)) return Array.isArray(value) ? value : undefined
  if (maps.has(word)) return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.values(value) : undefined
  if (word === "items" && Array.isArray(value)) return value
  return single.has(word) ? [value] : []
}
