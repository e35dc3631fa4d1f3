import type { Manifest } from "@plugboard/sdk"
import type { TSchema } from "typebox"
import { checkConfig } from "../config.ts"
import { isObject, type Json } from "./settings.ts"

/** What settings do not fit, in one line that names the key; null when they fit. Fills in defaults. */
export function misfitOfSettings({ config }: Manifest, origin: "bundled" | "package", settings: Json, where: string): string | null {
  if (!config) return Object.keys(settings).length > 0 ? `${where}: the plugin takes no settings` : null
  if (origin === "bundled" && Object.keys(settings).length === 0 && filled(config, settings)) return null
  return checkConfig(origin === "bundled" ? config : plainSchema(config), settings, where)
}

/** Defaults for a bundled plugin that nobody has configured, without the compiling of a validator: it would take a fifth of the start of a gateway. False when a key demands to be set. */
function filled({ properties = {}, required = [] }: TSchema & { properties?: Record<string, TSchema>; required?: string[] }, settings: Json): boolean {
  const members = Object.entries(properties).filter(([, member]) => "default" in member)
  const known = new Set(members.map(([name]) => name))
  if (required.some((name) => !known.has(name))) return false
  Object.assign(settings, structuredClone(Object.fromEntries(members.map(([name, member]) => [name, (member as { default?: unknown }).default]))))
  return true
}

/** Words of JSON Schema whose check takes no longer than a look at the value. A pattern of somebody else's can take for ever, and a reference can go in circles. */
const plain = new Set(
  "title description type properties required additionalProperties items enum const anyOf allOf default minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems minProperties maxProperties".split(
    " ",
  ),
)

/** The schema without what might take for ever. */
export function plainSchema(schema: TSchema): TSchema {
  return harmless(schema) as TSchema
}

function harmless(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const kept = Object.fromEntries(Object.entries(schema).filter(([word]) => plain.has(word)))
  for (const word of ["items", "additionalProperties"]) if (word in kept) kept[word] = harmless(kept[word])
  for (const word of ["anyOf", "allOf"]) if (Array.isArray(kept[word])) kept[word] = (kept[word] as unknown[]).map(harmless)
  if (isObject(kept.properties)) kept.properties = Object.fromEntries(Object.entries(kept.properties).map(([name, member]) => [name, harmless(member)]))
  // Without the patterns of a record every member is additional.
  if (isObject(schema.patternProperties)) kept.additionalProperties = true
  return kept
}
