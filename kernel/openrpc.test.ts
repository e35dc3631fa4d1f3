import { deepEqual, equal, ok } from "node:assert/strict"
import type { EventDecl, RpcDecl } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Ajv } from "ajv"
import { Type } from "typebox"
import { registryOf } from "./http/scratch.test.ts"
import type { Json } from "./openapi-schema.ts"
import { openRpc } from "./openrpc.ts"

/** What the meta schema of OpenRPC 1.3 demands of the parts that are used here. Source: https://meta.open-rpc.org */
const extensible = (schema: Json): Json => ({ type: "object", additionalProperties: false, patternProperties: { "^x-": {} }, ...schema })
const text = { type: "string" }
const docs = extensible({ required: ["url"], properties: { url: text, description: text } })
const content = extensible({
  required: ["name", "schema"],
  properties: { name: text, description: text, summary: text, required: { type: "boolean" }, deprecated: { type: "boolean" }, schema: { type: ["object", "boolean"] } },
})
const tag = extensible({ required: ["name"], properties: { name: text, summary: text, description: text } })
const method = extensible({
  required: ["name", "params"],
  properties: {
    name: { type: "string", minLength: 1 },
    summary: text,
    description: text,
    tags: { type: "array", items: tag },
    paramStructure: { enum: ["by-position", "by-name", "either"] },
    params: { type: "array", items: content },
    result: content,
    errors: { type: "array", items: extensible({ required: ["code", "message"], properties: { code: { type: "integer" }, message: text, data: {} } }) },
    deprecated: { type: "boolean" },
    externalDocs: docs,
  },
})
const document = extensible({
  required: ["openrpc", "info", "methods"],
  properties: {
    openrpc: { enum: ["1.3.0", "1.3.1", "1.3.2"] },
    info: extensible({ required: ["title", "version"], properties: { title: text, version: text, description: text } }),
    servers: { type: "array", items: extensible({ required: ["url"], properties: { name: text, url: text, summary: text, description: text } }) },
    externalDocs: docs,
    methods: { type: "array", items: method },
    components: { type: "object", additionalProperties: false, properties: { schemas: { type: "object" }, contentDescriptors: { type: "object" }, errors: { type: "object" } } },
  },
})

interface Method {
  name: string
  params: { name: string; required: boolean; schema: Json; description?: string; "x-plugboard-aliases"?: string[] }[]
  result: { name: string; schema: Json }
  [extension: `x-${string}`]: unknown
}
interface Document {
  methods: Method[]
  "x-plugboard-events": Json[]
}

describe("the OpenRPC document", () => {
  const methods: Record<string, RpcDecl> = {
    "notes.list": { role: "viewer", summary: "List notes", result: Type.Object({ notes: Type.Array(Type.String()) }) },
    "notes.add": {
      role: "operator",
      orScope: "operator.provision",
      summary: "Add a note",
      params: Type.Object({ limit: Type.Integer({ default: 5 }), noteText: Type.String({ description: "What it says." }), tag: Type.Optional(Type.String()) }),
      aliases: { content: "noteText" },
      order: "noteText",
      result: Type.Object({}),
    },
    "notes.code": { auth: "public", before: "connect", summary: "Show a code", params: Type.Record(Type.String(), Type.String()), result: Type.Object({}) },
  }
  const events: Record<string, EventDecl> = {
    "notes.added": { payload: Type.Object({ id: Type.String() }), to: "operators" },
    "notes.stale": { payload: Type.Object({}), to: "internal" },
  }
  const registry = {
    ...registryOf({}),
    methods: new Map(Object.entries(methods).map(([name, decl]) => [name, { plugin: "notes", method: name, decl, handle: async () => ({}) }])),
    events: new Map(Object.entries(events).map(([name, decl]) => [name, { plugin: "notes", name, decl }])),
  }
  // As it arrives: what is not JSON has gone.
  const served = JSON.parse(JSON.stringify(openRpc(registry, "1.2.3"))) as Document
  const called = (name: string) => served.methods.find((entry) => entry.name === name) as Method

  it("is what the meta schema of OpenRPC demands", () => {
    const validate = new Ajv({ strict: false }).compile(document)
    ok(validate(served), JSON.stringify(validate.errors))
  })

  it("has each method once, and the one that comes first", () => {
    deepEqual(
      served.methods.map(({ name }) => name),
      ["connect", "notes.add", "notes.code", "notes.list"],
    )
  })

  it("says who may call, whose it is, and what it keeps in order", () => {
    const { "x-plugboard-role": role, "x-plugboard-scope": scope, "x-plugboard-plugin": plugin, "x-plugboard-order": order } = called("notes.add")
    deepEqual([role, scope, plugin, order], ["operator", "operator.provision", "notes", "noteText"])
    deepEqual([called("notes.code")["x-plugboard-role"], called("notes.code")["x-plugboard-before"]], ["public", "connect"])
    equal(called("connect")["x-plugboard-role"], "public")
  })

  it("names parameters, the ones that must be there first, with their other spellings", () => {
    deepEqual(
      called("notes.add").params.map(({ name, required, description, "x-plugboard-aliases": aliases }) => ({ name, required, description, aliases })),
      [
        { name: "noteText", required: true, description: "What it says.", aliases: ["content", "note_text"] },
        { name: "limit", required: false, description: undefined, aliases: undefined },
        { name: "tag", required: false, description: undefined, aliases: undefined },
      ],
    )
    deepEqual(called("notes.list").params, [])
    deepEqual(
      called("notes.code").params.map(({ name, required }) => [name, required]),
      [["params", true]],
    )
  })

  it("lists events with who gets them, and none that stays within the gateway", () => {
    deepEqual(
      served["x-plugboard-events"].map((event) => [event.name, event["x-plugboard-to"], event["x-plugboard-plugin"]]),
      [["notes.added", "operators", "notes"]],
    )
  })

  describe("of a whole gateway", () => {
    let gateway: TestGateway
    before(async () => {
      gateway = await testGateway()
    })
    after(() => gateway.close())

    it("has every method that is served, in schemas that are JSON Schema", async () => {
      const { status, body } = await gateway.as("viewer").get("/v1/rpc.json")
      equal(status, 200)
      const ajv = new Ajv({ strict: false, formats: { "date-time": true, uuid: true, uri: true, email: true } })
      const validate = ajv.compile(document)
      ok(validate(body), JSON.stringify(validate.errors))
      const { methods } = gateway.registry.current
      deepEqual((body as Document).methods.map(({ name }) => name).sort(), ["connect", ...methods.keys()].sort())
      for (const { params, result } of (body as Document).methods) for (const { schema } of [...params, result]) ok(ajv.validateSchema(schema))
    })

    it("has nothing of a plugin that is switched off", async () => {
      const without = await testGateway({ config: { plugins: { sessions: { enabled: false }, chat: { enabled: false } } } })
      try {
        const { body } = await without.as("viewer").get("/v1/rpc.json")
        const owners = [...(body as Document).methods, ...(body as Document)["x-plugboard-events"]].map((entry) => (entry as Json)["x-plugboard-plugin"])
        deepEqual(
          owners.filter((owner) => owner === "sessions" || owner === "chat"),
          [],
        )
        ok(owners.includes("agents"))
      } finally {
        await without.close()
      }
    })
  })
})
