import { Audit, defineManifest, PageQuery } from "@plugboard/sdk"
import { Type } from "typebox"

/** Source: wire contract, http-observability 4. */
const Entry = Type.Object({
  id: Type.String({ format: "uuid" }),
  actor_type: Type.String({ description: "user, or system for what the gateway did by itself." }),
  actor_id: Type.String(),
  action: Type.String({ description: "Such as agent.updated." }),
  entity_type: Type.Optional(Type.String()),
  entity_id: Type.Optional(Type.String()),
  details: Type.Unknown({ description: "What changed, without secrets; null when there is no more to say." }),
  ip_address: Type.Optional(Type.String()),
  created_at: Type.String({ format: "date-time" }),
})
const exactly = (what: string) => Type.Optional(Type.String({ maxLength: 255, description: `Only entries with exactly this ${what}.` }))

export const manifest = defineManifest({
  id: "activity",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The audit log: who changed what, from where and when.",
  requires: [Audit],
  routes: {
    list: {
      method: "GET",
      path: "/v1/activity",
      role: "viewer",
      summary: "List changes, the latest first",
      tags: ["Activity"],
      query: Type.Object({
        ...PageQuery.properties,
        actor_type: exactly("kind of actor"),
        actor_id: exactly("actor, for admins; below admin it is always the caller"),
        action: exactly("action"),
        entity_type: exactly("kind of object"),
        entity_id: exactly("object"),
      }),
      reply: Type.Object({ logs: Type.Array(Entry), total: Type.Integer(), limit: Type.Integer(), offset: Type.Integer() }),
      alsoAs: "payload",
    },
  },
})
