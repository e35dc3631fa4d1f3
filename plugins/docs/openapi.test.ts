import { deepEqual, equal, ok } from "node:assert/strict"
import { anyGiven, bytes, multipart, type RouteDecl, raw, sse } from "@plugboard/sdk"
import { Ajv } from "ajv"
import { type TSchema, Type } from "typebox"
import { openApi } from "./openapi.ts"
import { fieldsOf, type Json, schemaOf } from "./openapi-schema.ts"

interface Operation {
  operationId: string
  tags: string[]
  security?: object[]
  parameters: { name: string; in: string; required: boolean; schema: Json }[]
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> }
  responses: Record<string, { description?: string; $ref?: string; content?: Record<string, { schema: Json }>; links?: Record<string, object> }>
}
const Row = Type.Object({ id: Type.String(), at: Type.Union([Type.String(), Type.Null()]) })
const Uuid = Type.Object({ id: Type.String({ format: "uuid", examples: ["0195c9f0-1111-7a10-8b00-000000000000"] }) })
const decls: Record<string, RouteDecl> = {
  list: {
    method: "GET",
    path: ["/v1/rows", "/v1/lines"],
    role: "viewer",
    summary: "List",
    tags: ["Rows"],
    query: Type.Object({ limit: Type.Integer({ default: 20, description: "How many." }), sort: Type.String() }),
    reply: Type.Object({ rows: Type.Array(Row) }),
    alsoAs: "payload",
  },
  get: { method: "GET", path: "/v1/rows/:id", role: "viewer", summary: "Get", params: Uuid, reply: Row },
  remove: { method: "DELETE", path: "/v1/rows/:id", role: "viewer", summary: "Remove", params: Uuid, reply: Row },
  change: {
    method: "PATCH",
    path: "/v1/rows/:rowId",
    role: "operator",
    orScope: "operator.provision",
    summary: "Change",
    status: 201,
    body: Type.Object({ name: Type.String(), note: Type.Optional(Type.String()) }),
    reply: Row,
  },
  add: { method: "POST", path: "/v1/rows", role: "operator", runsGateway: true, summary: "Add", status: 201, body: Type.Object({}), reply: Row },
  upload: {
    method: "POST",
    path: "/v1/files",
    role: "operator",
    summary: "Upload",
    body: multipart({ file: "file", fields: Type.Object({ name: Type.Optional(Type.String()) }), maxBytes: 10 }),
    reply: Row,
  },
  file: { method: "GET", path: "/v1/files/*rest", auth: "signed", summary: "File", reply: bytes() },
  page: { method: "GET", path: ["/page", "/page/"], auth: "public", summary: "Page", reply: [bytes("text/html"), bytes("application/json")] },
  hook: { method: "POST", path: "/v1/hook", auth: "webhook", summary: "Hook", body: raw({ maxBytes: 10 }), reply: Row },
  some: { method: "POST", path: "/v1/some", role: "operator", summary: "Some", body: Type.Object({ a: Type.Optional(Type.String()) }, { documented: anyGiven("a") }), reply: Row },
  put: {
    method: "PUT",
    path: "/v1/hook",
    role: "operator",
    summary: "Put",
    body: raw({ maxBytes: 10, types: ["application/json", "multipart/form-data", "application/gzip"] }),
    reply: Row,
  },
  chat: { method: "POST", path: "/v1/chat", role: "operator", summary: "Chat", errors: "openai", body: Type.Object({}), reply: [Row, sse(Row)] },
  health: { method: "GET", path: "/health", auth: "public", summary: "Health", reply: Row },
}
const routes = Object.entries(decls).map(([name, decl]) => ({ plugin: "scratch", name, decl }))
const document = openApi({ version: "1.2.3", routes, methods: [], events: [] }) as {
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, Json>>
  info: { version: string }
}
const operation = (path: string, verb: string) => document.paths[path]?.[verb] as Operation

/** Every schema of OpenAPI 3.0 anywhere in `node`: whatever stands under these names. */
function schemasIn(node: unknown, found: Json[] = []): Json[] {
  if (typeof node !== "object" || node === null) return found
  for (const [name, value] of Object.entries(node)) {
    if (name === "schema" || name === "schemas") found.push(...(name === "schema" ? [value as Json] : (Object.values(value as object) as Json[])))
    schemasIn(value, found)
  }
  return found
}

describe("the OpenAPI document", () => {
  it("names the gateway's version", () => {
    equal(document.info.version, "1.2.3")
  })

  it("has a path for each path and alias, under one name where routes differ in the name of a parameter", () => {
    deepEqual(Object.keys(document.paths), ["/health", "/page", "/v1/chat", "/v1/files", "/v1/files/{rest}", "/v1/hook", "/v1/lines", "/v1/rows", "/v1/rows/{id}", "/v1/some"])
    deepEqual(Object.keys(document.paths["/v1/rows/{id}"] ?? {}), ["get", "delete", "patch"])
  })

  it("has an operationId for each operation, once", () => {
    const ids = Object.values(document.paths).flatMap((verbs) => Object.values(verbs).map(({ operationId }) => operationId))
    equal(new Set(ids).size, ids.length)
    ok(ids.includes("scratch.list") && ids.includes("scratch.list.2"))
  })

  it("names each parameter of each path, and no other", () => {
    for (const [path, verbs] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const { parameters } of Object.values(verbs)) {
        deepEqual(
          parameters.filter((parameter) => parameter.in === "path").map(({ name, required }) => [name, required]),
          names.map((name) => [name, true]),
        )
      }
    }
    deepEqual(operation("/v1/rows", "get").parameters, [
      { name: "limit", in: "query", required: false, description: "How many.", schema: { default: 20, type: "integer" } },
      { name: "sort", in: "query", required: true, schema: { type: "string", pattern: "^[^\\u0000]*$" } },
      { $ref: "#/components/parameters/UserId" },
      { $ref: "#/components/parameters/TenantId" },
    ])
    deepEqual(operation("/health", "get").parameters, [])
  })

  it("says who may call", () => {
    deepEqual([operation("/health", "get").security, operation("/v1/hook", "post").security, operation("/v1/rows", "get").security], [[], [], undefined])
    deepEqual(operation("/v1/files/{rest}", "get").security, [{ bearerAuth: [] }, {}])
    const { "x-plugboard-role": role, "x-plugboard-scope": scope, "x-plugboard-plugin": plugin } = operation("/v1/rows/{id}", "patch") as unknown as Json
    deepEqual([role, scope, plugin], ["operator", "operator.provision", "scratch"])
  })

  it("describes bodies of each kind", () => {
    const text = { type: "string", pattern: "^[^\\u0000]*$" }
    deepEqual(operation("/v1/rows/{id}", "patch").requestBody, {
      required: true,
      content: { "application/json": { schema: { type: "object", required: ["name"], properties: { name: text, note: { ...text, nullable: true } } } } },
    })
    deepEqual(operation("/v1/files", "post").requestBody?.content["multipart/form-data"]?.schema.properties, {
      name: { type: "string" },
      file: { type: "string", format: "binary" },
    })
    deepEqual(Object.keys(operation("/v1/hook", "post").requestBody?.content ?? {}), ["application/octet-stream"])
    equal(operation("/v1/chat", "post").requestBody?.required, false)
    equal(operation("/v1/some", "post").requestBody?.required, true)
    deepEqual(operation("/v1/hook", "put").requestBody?.content, {
      "application/json": { schema: { description: "Any JSON." } },
      "multipart/form-data": { schema: { type: "object" } },
      "application/gzip": { schema: { type: "string", format: "binary" } },
    })
  })

  it("has no example of what is to be removed", () => {
    const example = (verb: string) => operation("/v1/rows/{id}", verb).parameters[0]?.schema.example
    deepEqual([typeof example("get"), example("delete")], ["string", undefined])
  })

  it("says in words who may call", () => {
    const { description: change } = operation("/v1/rows/{id}", "patch") as unknown as Json
    const { description: add } = operation("/v1/rows", "post") as unknown as Json
    deepEqual([change, add], ["For the role operator and above, and for API keys with the scope operator.provision.", "For the role operator and above who run the gateway."])
  })

  it("leads from what a POST made to what can be done with it", () => {
    deepEqual(operation("/v1/rows", "post").responses[201]?.links, {
      "scratch.get": { operationId: "scratch.get", parameters: { id: "$response.body#/id" } },
      "scratch.remove": { operationId: "scratch.remove", parameters: { id: "$response.body#/id" } },
      "scratch.change": { operationId: "scratch.change", parameters: { id: "$response.body#/id" } },
    })
    const names = Object.values(document.paths).flatMap((verbs) => Object.values(verbs).map(({ operationId }) => operationId))
    for (const verbs of Object.values(document.paths))
      for (const { responses } of Object.values(verbs)) for (const { links = {} } of Object.values(responses)) ok(Object.keys(links).every((name) => names.includes(name)))
  })

  it("shows bytes as what they are: JSON, text, or none of both", () => {
    const { content } = operation("/page", "get").responses[200] as { content: Record<string, { schema: Json }> }
    deepEqual(content, { "text/html": { schema: { type: "string" } }, "application/json": { schema: { description: "Any JSON." } } })
    deepEqual(operation("/v1/files/{rest}", "get").responses[200]?.content, { "application/octet-stream": { schema: { type: "string", format: "binary" } } })
  })

  it("describes replies of each kind, with their status", () => {
    deepEqual(Object.keys(operation("/v1/chat", "post").responses[200]?.content ?? {}), ["application/json", "text/event-stream"])
    ok(operation("/v1/rows/{id}", "patch").responses[201])
    for (const status of [200, 206, 304, 416]) ok(operation("/v1/files/{rest}", "get").responses[status])
    deepEqual(Object.keys((operation("/v1/rows", "get").responses[200]?.content?.["application/json"]?.schema.properties ?? {}) as object), ["rows", "payload"])
  })

  it("has each failure in the form that the route answers it", () => {
    equal(operation("/v1/chat", "post").responses[429]?.$ref, "#/components/responses/OpenAI429")
    equal(operation("/v1/chat", "post").responses[401]?.$ref, "#/components/responses/401")
    equal(operation("/health", "get").responses[401], undefined)
    equal(operation("/v1/rows", "get").responses[413], undefined)
    ok(operation("/v1/files", "post").responses[415])
  })

  it("refers to nothing that is not there", () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)]
    ok(refs.length > 20)
    for (const [ref, kind = "", name = ""] of refs) ok(document.components[kind]?.[name], ref)
  })

  it("has only schemas that OpenAPI 3.0 knows", () => {
    const known = new Set(
      "title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxProperties minProperties required enum type allOf oneOf anyOf not items properties additionalProperties description format default nullable readOnly writeOnly example deprecated $ref".split(
        " ",
      ),
    )
    const check = (schema: Json): void => {
      deepEqual(
        Object.keys(schema).filter((keyword) => !known.has(keyword)),
        [],
      )
      ok(schema.type === undefined || typeof schema.type === "string")
      ok(schema.type !== "array" || schema.items)
      ok(schema.exclusiveMinimum === undefined || schema.exclusiveMinimum === true)
      for (const inner of [
        schema.items,
        schema.additionalProperties,
        schema.not,
        ...Object.values((schema.properties as Json) ?? {}),
        ...((schema.anyOf as Json[]) ?? []),
        ...((schema.allOf as Json[]) ?? []),
      ]) {
        if (typeof inner === "object" && inner !== null) check(inner as Json)
      }
    }
    const schemas = schemasIn(document)
    ok(schemas.length > 20)
    for (const schema of schemas) check(schema)
  })
})

describe("a schema in the dialect of OpenAPI 3.0", () => {
  const cases: [what: string, schema: TSchema | Json, expected: Json][] = [
    ["a literal", Type.Literal("a"), { type: "string", enum: ["a"] }],
    ["one of several literals", Type.Union([Type.Literal("a"), Type.Literal("b")]), { type: "string", enum: ["a", "b"] }],
    ["an enum", Type.Enum(["a", "b"]), { type: "string", enum: ["a", "b"] }],
    ["a text or null", Type.Union([Type.String({ minLength: 1 }), Type.Null()]), { type: "string", minLength: 1, nullable: true }],
    ["literals or null", Type.Union([Type.Literal("a"), Type.Null()]), { type: "string", enum: ["a", null], nullable: true }],
    ["several or null", Type.Union([Type.String(), Type.Number(), Type.Null()]), { anyOf: [{ type: "string", nullable: true }, { type: "number" }] }],
    ["a list of types", { type: ["string", "null"] }, { type: "string", nullable: true }],
    ["several types", { type: ["string", "integer"] }, { anyOf: [{ type: "string" }, { type: "integer" }] }],
    ["null", Type.Null(), { type: "string", enum: [null], nullable: true }],
    ["a record", Type.Record(Type.String(), Type.Number()), { type: "object", additionalProperties: { type: "number" } }],
    ["a tuple", Type.Tuple([Type.String(), Type.Number()]), { type: "array", items: { anyOf: [{ type: "string" }, { type: "number" }] }, minItems: 2, maxItems: 2 }],
    ["an exclusive bound", Type.Number({ exclusiveMinimum: 0 }), { type: "number", minimum: 0, exclusiveMinimum: true }],
    ["anything", Type.Unknown({ description: "What you like." }), { description: "What you like." }],
    [
      "an intersection",
      Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({})]),
      {
        allOf: [
          { type: "object", required: ["a"], properties: { a: { type: "string" } } },
          { type: "object", properties: {} },
        ],
      },
    ],
    ["what its plugin checks itself", Type.String({ documented: { pattern: "^a" } }), { type: "string", pattern: "^a" }],
    ["an example", Type.String({ examples: ["x", "y"] }), { type: "string", example: "x" }],
  ]
  for (const [what, schema, expected] of cases) it(`shows ${what}`, () => deepEqual(schemaOf(schema as Json), expected))

  it("lets optional members of a body be null, as the gateway does", () => {
    const schema = fieldsOf(
      Type.Object({ a: Type.String(), b: Type.Optional(Type.Enum(["x"])), c: Type.Optional(Type.Object({ d: Type.Optional(Type.Array(Type.String())) })) }) as unknown as Json,
    )
    const validate = new Ajv({ strict: false }).compile(schema)
    ok(validate({ a: "x", b: null, c: { d: null } }) && validate({ a: "x", c: null }))
    ok(!validate({ a: null }))
  })
})
