import { errorKinds } from "@plugboard/sdk"
import type { Json } from "./openapi-schema.ts"
import type { EventEntry, MethodEntry, Registry } from "./registry.ts"
import { connectParams } from "./rpc/connect.ts"
import { spellingsOf } from "./rpc/parameters.ts"

/** OpenRPC 1.3 of the methods that are served now, from the manifests and nothing else; events, which OpenRPC does not know, stand under `x-plugboard-events`. */
export function openRpc(registry: Registry, version: string): Json {
  const methods = [...registry.methods.values()].sort((a, b) => (a.method < b.method ? -1 : 1))
  const events = [...registry.events.values()].filter(({ decl }) => decl.to !== "internal").sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    openrpc: "1.3.2",
    info: { title: "Plugboard", version, description },
    servers: [{ name: "gateway", url: "/ws" }],
    externalDocs: { description: "Routes over HTTP (OpenAPI)", url: "/v1/openapi.json" },
    methods: [connect, ...methods.map(methodOf)],
    components: { schemas: { Error: errorSchema } },
    "x-plugboard-events": events.map(eventOf),
  }
}

const description = [
  "Methods over the WebSocket at `/ws`. What stands here is what the enabled plugins serve.",
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

const connect = {
  name: "connect",
  summary: "Say who is on this socket; the first request, and again to become another",
  tags: [{ name: "kernel" }],
  paramStructure: "by-name",
  params: paramsOf({ params: connectParams }),
  result: { name: "payload", schema: { type: "object", required: ["protocol"], properties: { protocol: { const: 3 }, role: { type: "string" }, tenant_id: { type: "string" } } } },
  "x-plugboard-plugin": "kernel",
  "x-plugboard-role": "public",
}

function methodOf({ plugin, method, decl }: MethodEntry): Json {
  return {
    name: method,
    summary: decl.summary,
    tags: [{ name: plugin }],
    paramStructure: "by-name",
    params: paramsOf(decl),
    result: { name: "payload", schema: decl.result },
    "x-plugboard-plugin": plugin,
    "x-plugboard-role": decl.role ?? decl.auth,
    ...(decl.orScope && { "x-plugboard-scope": decl.orScope }),
    ...(decl.order !== undefined && { "x-plugboard-order": decl.order }),
    ...(decl.before && { "x-plugboard-before": decl.before }),
  }
}

/** By name, the ones that must be there first, as OpenRPC wants it. A schema that is no plain object has no names to tell: it is all of `params`. */
function paramsOf(decl: Pick<MethodEntry["decl"], "params" | "aliases">): Json[] {
  if (!decl.params) return []
  const { properties, required = [] } = decl.params as { properties?: Record<string, Json>; required?: string[] }
  if (!properties) return [{ name: "params", required: true, schema: decl.params, "x-plugboard-whole": true }]
  const spellings = spellingsOf(decl)
  const params = Object.entries(properties).map(([name, schema]) => {
    const others = spellings.flatMap(([other, meant]) => (meant === name ? [other] : []))
    return {
      name,
      required: required.includes(name) && !("default" in schema),
      ...(schema.description !== undefined && { description: schema.description }),
      schema,
      ...(others.length > 0 && { "x-plugboard-aliases": [...new Set(others)] }),
    }
  })
  return [...params.filter((param) => param.required), ...params.filter((param) => !param.required)]
}

function eventOf({ plugin, name, decl }: EventEntry): Json {
  return { name, tags: [{ name: plugin }], payload: { name: "payload", schema: decl.payload }, "x-plugboard-plugin": plugin, "x-plugboard-to": decl.to }
}
