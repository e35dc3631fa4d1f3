import { randomUUID } from "node:crypto"
import type { RouteDecl, RpcDecl } from "@plugboard/sdk"

/** As much of JSON Schema as manifests use. */
interface Schema {
  type?: string
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  allOf?: readonly Schema[]
  default?: unknown
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  exclusiveMinimum?: number
  minItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  required?: readonly string[]
}

/** What stands where a text is asked for; undefined: whatever fits. `path` is the member's name, or its parents' and its own with dots. */
export type Fill = (path: string, schema: Schema) => string | undefined

/** A value that fits the schema: only what is required, or with `whole` every member. */
function sampleOf(schema: Schema, fill: Fill, whole: boolean, path = ""): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return sampleOf(choices.find((choice) => choice.type !== "null") ?? {}, fill, whole, path)
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => sampleOf(part, fill, whole, path)))
  switch (schema.type) {
    case "string":
      return textOf(schema, fill(path, schema))
    case "integer":
    case "number":
      return schema.default ?? schema.minimum ?? (schema.exclusiveMinimum === undefined ? 1 : schema.exclusiveMinimum + 1)
    case "boolean":
      return schema.default ?? true
    case "array":
      return whole || (schema.minItems ?? 0) > 0 ? [sampleOf(schema.items ?? {}, fill, whole, path)] : []
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([name]) => whole || schema.required?.includes(name))
          .map(([name, member]) => [name, sampleOf(member, fill, whole, path ? `${path}.${name}` : name)]),
      )
    default:
      return fill(path, schema) ?? {}
  }
}

function textOf(schema: Schema, wanted: string | undefined): string {
  if (wanted !== undefined) return wanted.slice(0, schema.maxLength)
  if (schema.format === "uuid") return randomUUID()
  if (schema.format === "date-time") return "2030-01-01T00:00:00Z"
  if (schema.format === "uri" || schema.format === "url") return "http://127.0.0.1:9/"
  return "x".repeat(Math.max(1, schema.minLength ?? 1))
}

export interface SampleRequest {
  method: string
  path: string
  /** Undefined: the route takes none. */
  body?: unknown
}

/** One request to a route, its parameters filled in; the first of its paths. */
export function requestTo(decl: RouteDecl, fill: Fill, whole = false): SampleRequest {
  const path = ([decl.path].flat()[0] as string)
    .split("/")
    .map((segment) => (/^[:*]/.test(segment) ? encodeURIComponent(fill(segment.slice(1), {}) ?? randomUUID()) : segment))
    .join("/")
  const body = decl.body === undefined || "bodyKind" in decl.body ? undefined : sampleOf(decl.body as Schema, fill, whole)
  return { method: decl.method, path, ...(body !== undefined && { body }) }
}

export function paramsOf(decl: RpcDecl, fill: Fill, whole = false): Record<string, unknown> {
  return decl.params === undefined ? {} : (sampleOf(decl.params as Schema, fill, whole) as Record<string, unknown>)
}

/** Names of what a route or method takes that may be an id: path parameters and text members. */
export function textsAskedBy(decl: RouteDecl | RpcDecl): string[] {
  const seen: string[] = []
  const note: Fill = (path) => {
    seen.push(path)
    return undefined
  }
  if ("path" in decl) requestTo(decl, note, true)
  else paramsOf(decl, note, true)
  return [...new Set(seen)]
}
