import { errorKinds, type RouteDecl } from "@plugboard/sdk"
import type { Registry, RouteEntry } from "./registry.ts"

type Json = Record<string, unknown>

const made = new WeakMap<Registry, Json>()

/** OpenAPI 3.0 of what is served now, from the manifests and nothing else. */
export function openApi(registry: Registry, version: string): Json {
  const known = made.get(registry)
  if (known) return known
  const paths: Record<string, Json> = {}
  for (const entry of registry.routes) {
    for (const [index, path] of [entry.decl.path].flat().entries()) {
      const shown = path.replace(/[:*](\w+)/g, "{$1}")
      paths[shown] ??= {}
      ;(paths[shown] as Json)[entry.decl.method.toLowerCase()] = operationOf(entry, path, index)
    }
  }
  const document = {
    openapi: "3.0.3",
    info: { title: "Plugboard", version, description: "A plugin-based, multi-tenant AI agent gateway. What stands here is what the enabled plugins serve." },
    servers: [{ url: "/" }],
    security: [{ bearerAuth: [] }],
    tags: [...new Set(registry.routes.flatMap((entry) => tagsOf(entry)))].sort().map((name) => ({ name })),
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", description: "Gateway token or API key" } },
      schemas: {
        Error: {
          type: "object",
          required: ["error", "code"],
          properties: {
            error: { type: "string", description: "What is wrong and what to change, in the language of Accept-Language." },
            code: { type: "string" },
            details: {
              type: "array",
              items: { type: "object", properties: { path: { type: "string" }, rule: { type: "string" }, message: { type: "string" } } },
            },
          },
        },
        OpenAIError: {
          type: "object",
          required: ["error"],
          properties: {
            error: {
              type: "object",
              required: ["message", "type"],
              properties: { message: { type: "string" }, type: { type: "string" }, param: { type: "string", nullable: true }, code: { type: "string", nullable: true } },
            },
          },
        },
      },
    },
  }
  made.set(registry, document)
  return document
}

function tagsOf({ decl, plugin }: RouteEntry): readonly string[] {
  return decl.tags ?? [plugin]
}

function operationOf(entry: RouteEntry, path: string, index: number): Json {
  const { decl, plugin, name } = entry
  const body = bodyOf(decl)
  return {
    operationId: `${plugin}.${name}${index === 0 ? "" : `.${index + 1}`}`,
    summary: decl.summary,
    tags: tagsOf(entry),
    ...(decl.auth === "public" || decl.auth === "webhook" ? { security: [] } : decl.auth === "signed" ? { security: [{ bearerAuth: [] }, {}] } : {}),
    "x-plugboard-plugin": plugin,
    "x-plugboard-role": decl.role ?? decl.auth,
    parameters: parametersOf(decl, path),
    ...(body && { requestBody: body }),
    responses: responsesOf(decl),
  }
}

function parametersOf(decl: RouteDecl, path: string): Json[] {
  const inPath = [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => {
    const schema = (decl.params?.properties as Record<string, Json> | undefined)?.[name as string] ?? { type: "string" }
    return { name, in: "path", required: true, schema: convert(schema) }
  })
  const required = new Set((decl.query as { required?: string[] } | undefined)?.required ?? [])
  const inQuery = Object.entries((decl.query?.properties as Record<string, Json> | undefined) ?? {}).map(([name, schema]) => {
    const { description, ...rest } = convert(schema)
    return { name, in: "query", required: required.has(name) && !("default" in schema), ...(description !== undefined && { description }), schema: rest }
  })
  return [...inPath, ...inQuery]
}

function bodyOf(decl: RouteDecl): Json | undefined {
  const { body } = decl
  if (body === undefined) return undefined
  if (!("bodyKind" in body)) return { required: ((body as { required?: string[] }).required ?? []).length > 0, content: { "application/json": { schema: convert(body as Json) } } }
  if (body.bodyKind === "raw") return { required: true, content: { [body.types?.[0] ?? "application/octet-stream"]: { schema: { type: "string", format: "binary" } } } }
  const fields = convert(body.fields as unknown as Json)
  return {
    required: true,
    content: { "multipart/form-data": { schema: { ...fields, properties: { ...(fields.properties as Json), [body.file]: { type: "string", format: "binary" } } } } },
  }
}

function responsesOf(decl: RouteDecl): Json {
  const content: Json = {}
  for (const reply of [decl.reply].flat() as (Json & { replyKind?: string; event?: Json; contentType?: string })[]) {
    if (reply.replyKind === "sse") content["text/event-stream"] = { schema: convert(reply.event ?? {}) }
    else if (reply.replyKind === "bytes") content[reply.contentType ?? "application/octet-stream"] = { schema: { type: "string", format: "binary" } }
    else content["application/json"] = { schema: withPayload(decl, convert(reply)) }
  }
  const responses: Json = { [decl.status ?? 200]: { description: "Done", content } }
  for (const [status, description] of Object.entries(failuresOf(decl))) {
    const common = { $ref: "#/components/schemas/Error" }
    const auth = status === "401" || status === "403"
    responses[status] = { description, content: { "application/json": { schema: decl.errors === "openai" && !auth ? { $ref: "#/components/schemas/OpenAIError" } : common } } }
  }
  return responses
}

/** Every status that a route can answer, with what brings it about. */
function failuresOf(decl: RouteDecl): Record<string, string> {
  const open = decl.auth === "public" || decl.auth === "webhook"
  return {
    400: "A field is missing or does not fit",
    ...(!open && { 401: "Credentials are missing or not valid", 403: "The role is too low, or the row is somebody else's" }),
    404: "There is no such row, or it is not visible to the caller",
    405: "The path takes other methods",
    409: "The name is taken, or the object is in the wrong state",
    ...(decl.body && { 413: "The body is too large", 415: "The content type is not taken here" }),
    ...([decl.reply].flat().some((reply) => "replyKind" in reply && reply.replyKind === "bytes") && { 416: "The range cannot be served" }),
    422: "The request is right, but its work cannot be done",
    429: "Too many requests; wait for Retry-After",
    500: "A fault of the gateway; the id stands in its log",
    502: "A provider or another server failed",
    503: "Not ready, or too busy; wait for Retry-After",
    504: "It took too long",
  } satisfies Partial<Record<(typeof errorKinds)[keyof typeof errorKinds]["status"], string>> as Record<string, string>
}

function withPayload(decl: RouteDecl, schema: Json): Json {
  const properties = schema.properties as Record<string, Json> | undefined
  const rows = decl.alsoAs && properties && Object.values(properties).find((property) => property.type === "array")
  return rows ? { ...schema, properties: { ...properties, payload: rows } } : schema
}

/** JSON Schema as TypeBox writes it, in the dialect of OpenAPI 3.0: no `const`, no type lists, `nullable` for null. */
function convert(schema: Json): Json {
  const { const: literal, anyOf, allOf, oneOf, properties, items, additionalProperties, patternProperties, type, examples, $id, ...rest } = schema as Json & { anyOf?: Json[]; type?: string | string[] }
  const out: Json = { ...rest }
  if (literal !== undefined) return literal === null ? { ...out, nullable: true, enum: [null] } : { ...out, type: typeof literal === "number" ? "number" : typeof literal, enum: [literal] }
  const types = [type ?? []].flat()
  if (types.includes("null")) out.nullable = true
  const plain = types.filter((name) => name !== "null")
  if (plain.length === 1) out.type = plain[0]
  else if (plain.length > 1) out.anyOf = plain.map((name) => ({ type: name }))
  if (properties) out.properties = Object.fromEntries(Object.entries(properties as Record<string, Json>).map(([name, inner]) => [name, convert(inner)]))
  if (items) out.items = convert(items as Json)
  if (additionalProperties !== undefined) out.additionalProperties = typeof additionalProperties === "object" ? convert(additionalProperties as Json) : additionalProperties
  if (patternProperties) out.additionalProperties = convert(Object.values(patternProperties as Record<string, Json>)[0] ?? {})
  if (allOf) out.allOf = (allOf as Json[]).map(convert)
  const branches = (anyOf ?? oneOf) as Json[] | undefined
  return branches ? joined(out, branches) : out
}

function joined(out: Json, branches: Json[]): Json {
  const others = branches.filter((branch) => branch.type !== "null" && branch.const !== null)
  if (others.length < branches.length) out.nullable = true
  const literals = others.filter((branch) => typeof branch.const === "string")
  if (literals.length === others.length && others.length > 0) return { ...out, type: "string", enum: [...literals.map((branch) => branch.const), ...(out.nullable ? [null] : [])] }
  if (others.length === 1) return { ...convert(others[0] as Json), ...out }
  return { ...out, anyOf: others.map(convert) }
}
