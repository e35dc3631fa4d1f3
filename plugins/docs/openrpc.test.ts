import { deepEqual, equal, ok } from "node:assert/strict"
import { definePlugin } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Ajv } from "ajv"
import addFormats from "ajv-formats"
import { Type } from "typebox"
import type { Json } from "./openapi-schema.ts"

/** What the meta schema of OpenRPC 1.3 demands of the parts that are used here. Source: https://meta.open-rpc.org */
const extensible = (schema: Json): Json => ({ type: "object", additionalProperties: false, patternProperties: { "^x-": {} }, ...schema })
const text = { type: "string" }
const uri = { type: "string", format: "uri" }
const docs = extensible({ required: ["url"], properties: { url: uri, description: text } })
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
    servers: { type: "array", items: extensible({ required: ["url"], properties: { name: text, url: uri, summary: text, description: text } }) },
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

const notes = definePlugin(
  {
    id: "notes",
    version: "1.0.0",
    sdk: "^1.0.0",
    rpc: {
      "notes.list": { role: "viewer", summary: "List notes", result: Type.Object({ notes: Type.Array(Type.String()) }) },
      "notes.add": {
        role: "operator",
        orScope: "operator.provision",
        summary: "Add a note",
        params: Type.Object({
          limit: Type.Integer({ default: 5 }),
          noteText: Type.String({ description: "What it says." }),
          tag: Type.Optional(Type.String({ documented: { pattern: "^a" } })),
        }),
        aliases: { content: "noteText" },
        order: "noteText",
        result: Type.Object({}),
      },
      "notes.code": { auth: "public", before: "connect", summary: "Show a code", params: Type.Record(Type.String(), Type.String()), result: Type.Object({}) },
    },
    events: {
      "notes.added": { payload: Type.Object({ id: Type.String() }), to: "operators" },
      "notes.stale": { payload: Type.Object({}), to: "internal" },
    },
  },
  () => ({ rpc: { "notes.list": async () => ({ notes: [] }), "notes.add": async () => ({}), "notes.code": async () => ({}) } }),
)

describe("the OpenRPC document", () => {
  let gateway: TestGateway
  let served: Document
  before(async () => {
    gateway = await testGateway({ plugins: [notes] })
    served = (await (await fetch(`${gateway.url}/v1/rpc.json`)).json()) as Document
  })
  after(() => gateway.close())
  const called = (name: string) => served.methods.find((entry) => entry.name === name) as Method

  it("is what the meta schema of OpenRPC demands, in schemas that are JSON Schema", () => {
    const ajv = new Ajv({ strict: false })
    const addTo = addFormats as unknown as (ajv: Ajv) => void
    addTo(ajv)
    const validate = ajv.compile(document)
    ok(validate(served), JSON.stringify(validate.errors))
    for (const { params, result } of served.methods) for (const { schema } of [...params, result]) ok(ajv.validateSchema(schema))
  })

  it("has every method that is served, and the one that comes first", () => {
    const names = served.methods.map(({ name }) => name)
    deepEqual(names, ["connect", ...[...gateway.registry.current.methods.keys()].sort()])
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

  it("says nothing in the words of OpenAPI", () => {
    deepEqual(called("notes.add").params.find(({ name }) => name === "tag")?.schema, { type: "string" })
    ok(!JSON.stringify(served.methods).includes('"documented"'))
  })

  it("lists events with who gets them, and none that stays within the gateway", () => {
    const events = served["x-plugboard-events"].filter((event) => event["x-plugboard-plugin"] === "notes")
    deepEqual(
      events.map((event) => [event.name, event["x-plugboard-to"]]),
      [["notes.added", "operators"]],
    )
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
