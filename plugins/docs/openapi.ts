import type { RouteDecl, Served, ServedRoute } from "@plugboard/sdk"
import { fieldsOf, type Json, schemaOf } from "./openapi-schema.ts"

/** OpenAPI 3.0 of what is served now, from the manifests and nothing else. */
export function openApi({ routes, version }: Served): Json {
  return {
    openapi: "3.0.3",
    info: { title: "Plugboard", version, description: "A plugin-based, multi-tenant AI agent gateway. What stands here is what the enabled plugins serve." },
    externalDocs: { description: "Methods and events over WebSocket (OpenRPC)", url: "/v1/rpc.json" },
    servers: [{ url: "/" }],
    security: [{ bearerAuth: [] }],
    tags: [...new Set(routes.flatMap(tagsOf))].sort().map((name) => ({ name })),
    paths: pathsOf(routes),
    components: {
      securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", description: "Gateway token or API key." } },
      schemas: { Error: commonError, OpenAIError: openAiError, AnthropicError: anthropicError },
      responses: Object.fromEntries([
        ...Object.keys(failures).map((status) => [status, failureOf(status, "Error")]),
        ...Object.keys(failures).map((status) => [`OpenAI${status}`, failureOf(status, "OpenAIError")]),
        ...Object.keys(failures).map((status) => [`Anthropic${status}`, failureOf(status, "AnthropicError")]),
      ]),
    },
  }
}

const commonError = {
  type: "object",
  required: ["error", "code"],
  properties: {
    error: { type: "string", description: "What is wrong and what to change, in the language of Accept-Language." },
    code: { type: "string" },
    details: {
      type: "array",
      description: "One entry for each field that does not fit.",
      items: { type: "object", required: ["path", "rule", "message"], properties: { path: { type: "string" }, rule: { type: "string" }, message: { type: "string" } } },
    },
  },
}
const openAiError = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type"],
      properties: { message: { type: "string" }, type: { type: "string" }, param: { type: "string", nullable: true }, code: { type: "string", nullable: true } },
    },
  },
}

const anthropicError = {
  type: "object",
  required: ["type", "error"],
  properties: {
    type: { type: "string", enum: ["error"] },
    error: { type: "object", required: ["type", "message"], properties: { type: { type: "string" }, message: { type: "string" } } },
  },
}
const shapes = { openai: "OpenAI", anthropic: "Anthropic" } as const

/** Every status that a failure can have, with what brings it about. */
const failures: Readonly<Record<string, string>> = {
  400: "A field is missing or does not fit.",
  401: "Credentials are missing or not valid.",
  403: "The role is too low, or the row is somebody else's.",
  404: "There is no such row, or it is not visible to the caller.",
  409: "The name is taken, or the object is in the wrong state.",
  413: "The body is too large.",
  415: "The content type is not taken here.",
  416: "The range cannot be served.",
  422: "The request is right, but its work cannot be done.",
  429: "Too many requests; wait for Retry-After.",
  500: "A fault of the gateway; the id stands in its log.",
  502: "A provider or another server failed.",
  503: "Not ready, or too busy; wait for Retry-After.",
  504: "It took too long.",
}

function failureOf(status: string, schema: string): Json {
  const headers = status === "429" || status === "503" ? { headers: { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer", minimum: 1 } } } } : {}
  return { description: failures[status], ...headers, content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } } }
}

/** Two routes that name one parameter differently are one path here, under the name that comes first. */
function pathsOf(routes: readonly ServedRoute[]): Record<string, Json> {
  const paths = new Map<string, { shown: string; names: string[]; operations: Json }>()
  for (const entry of routes) {
    for (const [index, path] of [entry.decl.path].flat().entries()) {
      const shape = path.replace(/[:*]\w+/g, "{}")
      const names = [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => name as string)
      const place = paths.get(shape) ?? { shown: path.replace(/[:*](\w+)/g, "{$1}"), names, operations: {} }
      paths.set(shape, place)
      place.operations[entry.decl.method.toLowerCase()] = operationOf(entry, index, names, place.names)
    }
  }
  return Object.fromEntries([...paths.values()].sort((a, b) => (a.shown < b.shown ? -1 : 1)).map(({ shown, operations }) => [shown, operations]))
}

function tagsOf({ decl, plugin }: ServedRoute): readonly string[] {
  return decl.tags ?? [plugin]
}

function operationOf(entry: ServedRoute, index: number, names: readonly string[], shownNames: readonly string[]): Json {
  const { decl, plugin, name } = entry
  const open = decl.auth === "public" || decl.auth === "webhook"
  return {
    operationId: `${plugin}.${name}${index === 0 ? "" : `.${index + 1}`}`,
    summary: decl.summary,
    tags: tagsOf(entry),
    ...(open ? { security: [] } : decl.auth === "signed" ? { security: [{ bearerAuth: [] }, {}] } : {}),
    "x-plugboard-plugin": plugin,
    "x-plugboard-role": decl.role ?? decl.auth,
    ...(decl.runsGateway && { "x-plugboard-runs-gateway": true }),
    ...(decl.orScope && { "x-plugboard-scope": decl.orScope }),
    parameters: [...names.map((param, at) => inPath(decl, param, shownNames[at] as string)), ...inQuery(decl)],
    ...(decl.body && { requestBody: bodyOf(decl) }),
    responses: responsesOf(decl),
  }
}

function inPath(decl: RouteDecl, name: string, shown: string): Json {
  const { description, ...schema } = schemaOf((decl.params?.properties as Record<string, Json> | undefined)?.[name] ?? { type: "string" })
  return { name: shown, in: "path", required: true, ...(description !== undefined && { description }), schema }
}

function inQuery({ query, auth }: RouteDecl): Json[] {
  const required = new Set((query as { required?: string[] } | undefined)?.required ?? [])
  const link =
    auth === "signed" ? [{ name: "ft", in: "query", required: false, description: "Signature of a link; takes the place of credentials.", schema: { type: "string" } }] : []
  const declared = Object.entries((query?.properties as Record<string, Json> | undefined) ?? {}).map(([name, declaration]) => {
    const { description, ...schema } = schemaOf(declaration)
    return { name, in: "query", required: required.has(name) && !("default" in declaration), ...(description !== undefined && { description }), schema }
  })
  return [...declared, ...link]
}

function bodyOf({ body }: RouteDecl): Json {
  if (body === undefined || !("bodyKind" in body)) {
    const { required = [] } = (body ?? {}) as { required?: string[] }
    return { required: required.length > 0, content: { "application/json": { schema: fieldsOf((body ?? {}) as Json) } } }
  }
  const binary = { type: "string", format: "binary" }
  if (body.bodyKind === "raw") return { required: false, content: Object.fromEntries((body.types ?? ["application/octet-stream"]).map((type) => [type, { schema: binary }])) }
  const fields = schemaOf(body.fields as unknown as Json)
  return { required: true, content: { "multipart/form-data": { schema: { ...fields, properties: { ...(fields.properties as Json), [body.file]: binary } } } } }
}

function responsesOf(decl: RouteDecl): Json {
  const replies = [decl.reply].flat() as (Json & { replyKind?: "sse" | "bytes"; event?: Json; contentType?: string })[]
  const content: Json = {}
  for (const reply of replies) {
    if (reply.replyKind === "sse") content["text/event-stream"] = { schema: schemaOf(reply.event ?? {}) }
    else if (reply.replyKind === "bytes") content[reply.contentType ?? "application/octet-stream"] = { schema: { type: "string", format: "binary" } }
    else content["application/json"] = { schema: withPayload(decl, schemaOf(reply)) }
  }
  const bytes = replies.some((reply) => reply.replyKind === "bytes")
  return {
    [decl.status ?? 200]: { description: "Done.", content },
    ...(bytes && { 206: { description: "The range that was asked for.", content }, 304: { description: "Nothing has changed since the ETag that was sent." } }),
    ...Object.fromEntries(
      statusesOf(decl, bytes).map((status) => [
        status,
        { $ref: `#/components/responses/${decl.errors && status !== "401" && status !== "403" ? shapes[decl.errors] : ""}${status}` },
      ]),
    ),
  }
}

/** What a handler or a service behind it may throw is not known by route; what the kernel answers is. */
function statusesOf(decl: RouteDecl, bytes: boolean): string[] {
  const left = new Set<string>()
  if (decl.auth === "public") for (const status of ["401", "403"]) left.add(status)
  if (decl.body === undefined) for (const status of ["413", "415"]) left.add(status)
  if (!bytes) left.add("416")
  return Object.keys(failures).filter((status) => !left.has(status))
}

function withPayload(decl: RouteDecl, schema: Json): Json {
  const properties = schema.properties as Record<string, Json> | undefined
  const rows = decl.alsoAs && properties && Object.values(properties).find((property) => property.type === "array")
  return rows ? { ...schema, properties: { ...properties, payload: rows } } : schema
}
