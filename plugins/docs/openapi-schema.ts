export type Json = Record<string, unknown>

/** Keywords that mean the same in both dialects. What OpenAPI 3.0 does not know is left out: it describes, and the validators hold. */
const same = [
  "title",
  "description",
  "default",
  "format",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
  "required",
  "enum",
  "readOnly",
  "writeOnly",
  "deprecated",
] as const

/** JSON Schema as TypeBox writes it, in the dialect of OpenAPI 3.0: no `const`, no type lists, no tuples, `nullable` for null. */
export function schemaOf(schema: Json): Json {
  return { ...convert(schema, schemaOf), ...documentedIn(schema) }
}

/** The same for a request body, whose optional members may be null: that counts as absent. Source: wire contract, http-core 1.4. */
export function fieldsOf(schema: Json): Json {
  const converted = storable(convert(schema, fieldsOf))
  const { properties, required = [] } = converted as { properties?: Record<string, Json>; required?: string[] }
  if (!properties) return { ...converted, ...documentedIn(schema) }
  return {
    ...converted,
    properties: Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, required.includes(name) ? member : nullable(member)])),
    ...documentedIn(schema),
  }
}

/** And for a parameter of the query. */
export function askedOf(schema: Json): Json {
  return { ...storable(convert(schema, askedOf)), ...documentedIn(schema) }
}

function documentedIn({ documented }: Json): Json {
  return (documented ?? {}) as Json
}

/** The gateway takes no NUL in a text, since the database holds none. */
function storable(schema: Json): Json {
  if (schema.type !== "string" || schema.enum || schema.format !== undefined || schema.pattern !== undefined) return schema
  return { ...schema, pattern: "^[^\\u0000]*$" }
}

function convert(schema: Json, inner: (schema: Json) => Json): Json {
  const out: Json = {}
  for (const keyword of same) if (schema[keyword] !== undefined) out[keyword] = schema[keyword]
  if (Array.isArray(schema.examples)) out.example = schema.examples[0]
  const types = [(schema.type as string | string[] | undefined) ?? typesOf(schema)].flat()
  const named = types.filter((type) => type !== "null")
  if (named.length === 1) out.type = named[0]
  // Of no type but null. It takes one to be nullable.
  else if (named.length === 0 && types.length > 0) Object.assign(out, { type: "string", enum: [null] })
  if ("const" in schema && schema.const !== null) out.enum = [schema.const]
  if (typeof schema.exclusiveMinimum === "number") Object.assign(out, { minimum: schema.exclusiveMinimum, exclusiveMinimum: true })
  if (typeof schema.exclusiveMaximum === "number") Object.assign(out, { maximum: schema.exclusiveMaximum, exclusiveMaximum: true })
  if (schema.properties) out.properties = mapValues(schema.properties as Record<string, Json>, inner)
  const rest = schema.additionalProperties ?? Object.values((schema.patternProperties ?? {}) as Record<string, Json>)[0]
  if (rest !== undefined) out.additionalProperties = typeof rest === "object" ? inner(rest as Json) : rest
  if (out.type === "array") Object.assign(out, itemsOf(schema, inner))
  if (schema.allOf) out.allOf = (schema.allOf as Json[]).map(inner)
  if (schema.not) out.not = inner(schema.not as Json)
  const branches = (schema.anyOf ?? schema.oneOf ?? (named.length > 1 ? named.map((type) => ({ type })) : undefined)) as Json[] | undefined
  const whole = branches ? joined(out, branches, inner) : out
  return types.includes("null") || schema.const === null ? nullable(whole) : whole
}

/** Of an enum that names no type. */
function typesOf(schema: Json): string[] {
  const values = "const" in schema ? [schema.const] : ((schema.enum as unknown[] | undefined) ?? [])
  return [...new Set(values.map((value) => (value === null ? "null" : typeof value)))]
}

/** A tuple becomes a list of that length. OpenAPI demands `items`. */
function itemsOf(schema: Json, inner: (schema: Json) => Json): Json {
  const { items = {} } = schema as { items?: Json | Json[] }
  if (!Array.isArray(items)) return { items: inner(items) }
  return { items: { anyOf: items.map(inner) }, minItems: items.length, maxItems: items.length }
}

function joined(out: Json, branches: readonly Json[], inner: (schema: Json) => Json): Json {
  const others = branches.filter((branch) => branch.type !== "null" && branch.const !== null)
  const orNull = others.length < branches.length
  const texts = others.every((branch) => typeof branch.const === "string") ? others.map((branch) => branch.const) : []
  const [only] = others
  const whole: Json = texts.length > 0 ? { ...out, type: "string", enum: texts } : only && others.length === 1 ? { ...inner(only), ...out } : { ...out, anyOf: others.map(inner) }
  return orNull ? nullable(whole) : whole
}

/** `nullable` counts only beside a type, so among several branches one of them carries it. */
function nullable(schema: Json): Json {
  const { anyOf } = schema as { anyOf?: Json[] }
  const carrier = anyOf?.findIndex((branch) => branch.type !== undefined) ?? -1
  if (schema.type === undefined && anyOf && carrier >= 0) return { ...schema, anyOf: anyOf.map((branch, index) => (index === carrier ? nullable(branch) : branch)) }
  if (schema.type === undefined && !schema.enum) return Object.keys(schema).length === 0 ? schema : { ...schema, nullable: true }
  return { ...schema, nullable: true, ...(Array.isArray(schema.enum) && !schema.enum.includes(null) && { enum: [...schema.enum, null] }) }
}

function mapValues(members: Readonly<Record<string, Json>>, change: (member: Json) => Json): Json {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, change(member)]))
}
