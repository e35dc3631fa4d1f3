import { errorKinds, type Served, type ServedEvent, type ServedMethod } from "@plugboard/sdk"
import type { Json } from "./openapi-schema.ts"

/** OpenRPC 1.3 of the methods that are served now, from the manifests and nothing else; events, which OpenRPC does not know, stand under `x-plugboard-events`. */
export function openRpc({ methods, events, version }: Served): Json {
  return {
    openrpc: "1.3.2",
    info: { title: "Plugboard", version, description },
    // No servers and no external documents: their addresses have to be whole, and only a client knows where it has reached the gateway.
    "x-plugboard-path": "/ws",
    methods: methods.map(methodOf),
    components: { schemas: { Error: errorSchema } },
    "x-plugboard-events": events.map(eventOf),
  }
}

const description = [
  "Methods over the WebSocket at `/ws`. What stands here is what the enabled plugins serve. Routes over HTTP are in `/v1/openapi.json`.",
  'A request is `{ "type": "req", "id", "method", "params" }`. Its response is `{ "type": "res", "id", "ok": true, "payload" }` with the result, or `"ok": false` and `error`, see `#/components/schemas/Error`.',
  'An event is `{ "type": "event", "event", "payload" }`; `x-plugboard-events` lists them, with who gets them. The first request is `connect`.',
].join("\n\n")

const errorSchema = {
  type: "object",
  required: ["code", "message"],
  properties: {
    code: { enum: [...new Set(Object.values(errorKinds).map(({ code }) => code))].sort() },
    message: { type: "string", description: "What is wrong and what to change, in the language of the socket." },
    details: {
      type: "array",
      description: "One entry for each parameter that does not fit.",
      items: { type: "object", required: ["path", "rule", "message"], properties: { path: { type: "string" }, rule: { type: "string" }, message: { type: "string" } } },
    },
    retryable: { type: "boolean" },
    retryAfterMs: { type: "integer", minimum: 0 },
  },
}

function methodOf(served: ServedMethod): Json {
  const { plugin, name, decl } = served
  return {
    name,
    summary: decl.summary,
    tags: [{ name: plugin }],
    paramStructure: "by-name",
    params: paramsOf(served),
    result: { name: "payload", schema: plain(decl.result) },
    "x-plugboard-plugin": plugin,
    "x-plugboard-role": decl.role ?? decl.auth,
    ...(decl.runsGateway && { "x-plugboard-runs-gateway": true }),
    ...(decl.orScope && { "x-plugboard-scope": decl.orScope }),
    ...(decl.order !== undefined && { "x-plugboard-order": decl.order }),
    ...(decl.before && { "x-plugboard-before": decl.before }),
  }
}

/** By name, the ones that must be there first, as OpenRPC wants it. A schema that is no plain object has no names to tell: it is all of `params`. */
function paramsOf({ decl, spellings }: ServedMethod): Json[] {
  if (!decl.params) return []
  const { properties, required = [] } = decl.params as { properties?: Record<string, Json>; required?: string[] }
  if (!properties) return [{ name: "params", required: true, schema: plain(decl.params), "x-plugboard-whole": true }]
  const params = Object.entries(properties).map(([name, schema]) => {
    const others = spellings.flatMap(([other, meant]) => (meant === name ? [other] : []))
    return {
      name,
      required: required.includes(name) && !("default" in schema),
      ...(schema.description !== undefined && { description: schema.description }),
      schema: plain(schema),
      ...(others.length > 0 && { "x-plugboard-aliases": [...new Set(others)] }),
    }
  })
  return [...params.filter((param) => param.required), ...params.filter((param) => !param.required)]
}

/** Without what is said in the words of OpenAPI. */
function plain(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(plain)
  return Object.fromEntries(
    Object.entries(schema).flatMap(([keyword, value]) => {
      if (keyword === "documented") return []
      // Here the names are members', not keywords.
      return [[keyword, keyword === "properties" ? Object.fromEntries(Object.entries(value as object).map(([name, member]) => [name, plain(member)])) : plain(value)]]
    }),
  )
}

function eventOf({ plugin, name, decl }: ServedEvent): Json {
  return { name, tags: [{ name: plugin }], payload: { name: "payload", schema: plain(decl.payload) }, "x-plugboard-plugin": plugin, "x-plugboard-to": decl.to }
}
