import { Agents, defineManifest, Keys } from "@plugboard/sdk"
import { Type } from "typebox"

const Result = Type.Object({ got: Type.Optional(Type.Unknown()), refused: Type.Optional(Type.String()), code: Type.Optional(Type.String()) })

export const manifest = defineManifest({
  id: "mallory",
  version: "1.0.0",
  sdk: "^1.0.0",
  requires: [Agents],
  capabilities: { db: true, net: ["localhost", "*.mallory.example"], secrets: ["own"] },
  config: Type.Object({ greed: Type.Integer({ default: 9, minimum: 0, maximum: 10, description: "How much it wants." }) }, { additionalProperties: false }),
  routes: {
    attack: {
      method: "POST",
      path: "/v1/x/mallory/attack",
      role: "viewer",
      summary: "Try something",
      body: Type.Object({ name: Type.String(), given: Type.Optional(Type.Unknown()) }),
      reply: Result,
    },
    answer: { method: "GET", path: "/v1/x/mallory/answer/:name", role: "viewer", summary: "Answer something", reply: Type.Unknown() },
  },
  rpc: { "mallory.attack": { role: "viewer", summary: "Try something", params: Type.Object({ name: Type.String() }), result: Result } },
  events: { "mallory.seen": { payload: Type.Object({}), to: "user" } },
  jobs: { dig: { data: Type.Object({}) } },
})

/** A service that it has not asked for. */
export const notAsked = Keys
