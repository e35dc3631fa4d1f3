import type { RouteDecl, Served, ServedRoute } from "@plugboard/sdk"
import { linksFrom } from "./openapi-links.ts"
import { askedOf, fieldsOf, type Json, schemaOf } from "./openapi-schema.ts"

/** OpenAPI 3.0 of what is served now, from the manifests and nothing else. */
export function openApi({ routes, version }: Served): Json {
  const paths = pathsOf(routes)
  const used = JSON.stringify(paths)
  return {
    openapi: "3.0.3",
    info: {
      title: "Plugboard",
      version,
      description: "A plugin-based, multi-tenant AI agent gateway. What stands here is what the enabled plugins serve.",
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    externalDocs: { description: "Methods and events over WebSocket (OpenRPC)", url: "/v1/rpc.json" },
    servers: [{ url: "/" }],
    security: [{ bearerAuth: [] }],
    tags: tagsIn(routes),
    paths,
    components: {
      securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", description: "Gateway token or API key." } },
      schemas: { Error: commonError, OpenAIError: openAiError, AnthropicError: anthropicError },
      parameters: callerHeaders,
      responses: Object.fromEntries(
        ["", ...Object.values(shapes)]
          .flatMap((shape) => Object.keys(failures).map((status) => [`${shape}${status}`, failureOf(status, `${shape}Error`)] as const))
          .filter(([name]) => used.includes(`#/components/responses/${name}"`)),
      ),
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

/** Source: wire contract, http-core 1.1. */
const callerHeaders = {
  UserId: {
    name: "X-GoClaw-User-Id",
    in: "header",
    required: false,
    description: "For whom the call is made: a user of the client's own, in 255 characters at most. A key that belongs to a user speaks for that one.",
    schema: { type: "string" },
  },
  TenantId: {
    name: "X-GoClaw-Tenant-Id",
    in: "header",
    required: false,
    description: "Id or slug of the tenant, for who may enter several. A key that belongs to a tenant stays in it.",
    schema: { type: "string" },
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
      // Another spelling of the same address.
      if (index > 0 && path === `${[entry.decl.path].flat()[0]}/`) continue
      const shape = path.replace(/[:*]\w+/g, "{}")
      const names = [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => name as string)
      const place = paths.get(shape) ?? { shown: path.replace(/[:*](\w+)/g, "{$1}"), names, operations: {} }
      paths.set(shape, place)
      place.operations[entry.decl.method.toLowerCase()] = operationOf(entry, index, names, place.names)
    }
  }
  return linksFrom(Object.fromEntries([...paths.values()].sort((a, b) => (a.shown < b.shown ? -1 : 1)).map(({ shown, operations }) => [shown, operations])))
}

function tagsIn(routes: readonly ServedRoute[]): Json[] {
  const plugins = new Map<string, Set<string>>()
  for (const route of routes) for (const tag of tagsOf(route)) plugins.set(tag, (plugins.get(tag) ?? new Set()).add(route.plugin))
  return [...plugins].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, from]) => ({ name, description: `Served by ${[...from].sort().join(", ")}.` }))
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
    description: whoMay(decl),
    tags: tagsOf(entry),
    ...(open ? { security: [] } : decl.auth === "signed" ? { security: [{ bearerAuth: [] }, {}] } : {}),
    "x-plugboard-plugin": plugin,
    "x-plugboard-role": decl.role ?? decl.auth,
    ...(decl.runsGateway && { "x-plugboard-runs-gateway": true }),
    ...(decl.orScope && { "x-plugboard-scope": decl.orScope }),
    parameters: [
      ...names.map((param, at) => inPath(decl, param, shownNames[at] as string)),
      ...inQuery(decl),
      ...(open ? [] : Object.keys(callerHeaders).map((header) => ({ $ref: `#/components/parameters/${header}` }))),
    ],
    ...(decl.body && { requestBody: bodyOf(decl) }),
    responses: responsesOf(decl),
  }
}

function whoMay({ auth, role, orScope, runsGateway }: RouteDecl): string {
  if (auth === "public") return "For everybody; no credential is looked at."
  if (auth === "webhook") return "For whoever signs as the sender that it is made for."
  if (auth === "signed") return "With a signed link, or for viewers and above."
  const who = `For ${role === "owner" ? "owners of the gateway" : `the role ${role} and above`}${runsGateway ? " who run the gateway" : ""}`
  return `${who}${orScope ? `, and for API keys with the scope ${orScope}` : ""}.`
}

function inPath(decl: RouteDecl, name: string, shown: string): Json {
  const { description, example, ...rest } = schemaOf((decl.params?.properties as Record<string, Json> | undefined)?.[name] ?? { type: "string" })
  // Examples are tried; nothing that is there shall be gone by it.
  const schema = example === undefined || decl.method === "DELETE" ? rest : { ...rest, example }
  return { name: shown, in: "path", required: true, ...(description !== undefined && { description }), schema }
}

function inQuery({ query, auth }: RouteDecl): Json[] {
  const required = new Set((query as { required?: string[] } | undefined)?.required ?? [])
  const link =
    auth === "signed" ? [{ name: "ft", in: "query", required: false, description: "Signature of a link; takes the place of credentials.", schema: { type: "string" } }] : []
  const declared = Object.entries((query?.properties as Record<string, Json> | undefined) ?? {}).map(([name, declaration]) => {
    const { description, ...schema } = isPaging(name) ? schemaOf(declaration) : askedOf(declaration)
    return { name, in: "query", required: required.has(name) && !("default" in declaration), ...(description !== undefined && { description }), schema }
  })
  return [...declared, ...link]
}

/** Takes any text, and makes a number of it. Source: wire contract, http-core 1.5. */
function isPaging(name: string): boolean {
  return name === "limit" || name === "offset"
}

function bodyOf({ body }: RouteDecl): Json {
  if (body === undefined || !("bodyKind" in body)) {
    const schema = fieldsOf((body ?? {}) as Json)
    return { required: needsMembers(schema), content: { "application/json": { schema } } }
  }
  const binary = { type: "string", format: "binary" }
  if (body.bodyKind === "raw") return { required: false, content: Object.fromEntries((body.types ?? ["application/octet-stream"]).map((type) => [type, { schema: rawOf(type) }])) }
  const fields = schemaOf(body.fields as unknown as Json)
  return { required: true, content: { "multipart/form-data": { schema: { ...fields, properties: { ...(fields.properties as Json), [body.file]: binary } } } } }
}

/** No body counts as one without members. Source: wire contract, http-core 1.4. */
function needsMembers({ required, minProperties, anyOf, oneOf, allOf }: Json): boolean {
  const demands = [allOf, anyOf && [anyOf].flat().slice(0, 1), oneOf && [oneOf].flat().slice(0, 1)].flat().filter((inner) => inner !== undefined)
  return ((required ?? []) as string[]).length > 0 || Number(minProperties ?? 0) > 0 || demands.some((inner) => needsMembers(inner as Json))
}

/** The plugin reads it by itself. */
function rawOf(type: string): Json {
  if (/[/+]json\b/.test(type)) return { description: "Any JSON." }
  return type.startsWith("multipart/") ? { type: "object" } : { type: "string", format: "binary" }
}

function responsesOf(decl: RouteDecl): Json {
  const replies = [decl.reply].flat() as (Json & { replyKind?: "sse" | "bytes"; event?: Json; contentType?: string })[]
  const content: Json = {}
  for (const reply of replies) {
    if (reply.replyKind === "sse") content["text/event-stream"] = { schema: schemaOf(reply.event ?? {}) }
    else if (reply.replyKind === "bytes") content[reply.contentType ?? "application/octet-stream"] = { schema: bytesOf(reply.contentType) }
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

/** JSON is JSON, whoever wrote it. */
function bytesOf(contentType = ""): Json {
  return /[/+]json\b/.test(contentType) ? { description: "Any JSON." } : { type: "string", ...(!contentType.startsWith("text/") && { format: "binary" }) }
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
