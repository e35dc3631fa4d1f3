import { defineManifest, Gateway, Tenants, Tools } from "@plugboard/sdk"
import { Type } from "typebox"

const Time = Type.String({ format: "date-time" })
const Database = Type.Enum(["ok", "error"])
const Health = Type.Object({
  status: Type.Enum(["ok", "degraded"]),
  uptime_ms: Type.Integer(),
  mode: Type.Literal("managed"),
  database: Database,
  protocol: Type.Literal(3),
  version: Type.String(),
  loop_delay_ms: Type.Integer({ description: "How far behind the event loop was in the last second, 99th percentile." }),
})

export const manifest = defineManifest({
  id: "system",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Is the gateway well, and who is on it.",
  essential: true,
  requires: [Gateway, Tenants],
  opens: [Tools],
  routes: {
    health: { method: "GET", path: "/health", auth: "public", summary: "Whether the gateway and its database are well", tags: ["System"], reply: Health },
    edition: { method: "GET", path: "/v1/edition", auth: "public", summary: "Which edition this is", tags: ["System"], reply: Type.Object({ name: Type.Literal("standard") }) },
  },
  rpc: {
    health: {
      role: "viewer",
      summary: "Whether the gateway is well, and which sockets of the tenant are open",
      result: Type.Object({
        status: Type.Literal("ok"),
        version: Type.String(),
        uptime: Type.Integer({ description: "Ms since the start." }),
        mode: Type.Literal("managed"),
        database: Database,
        tools: Type.Integer(),
        clients: Type.Array(Type.Object({ id: Type.String(), remoteAddr: Type.String(), userId: Type.String(), role: Type.String(), connectedAt: Time })),
        currentId: Type.String(),
      }),
    },
    status: {
      role: "viewer",
      summary: "Agents, sockets and sessions in numbers",
      result: Type.Object({
        agents: Type.Array(Type.Object({ id: Type.String(), model: Type.String(), isRunning: Type.Boolean() })),
        agentTotal: Type.Integer(),
        clients: Type.Integer(),
        sessions: Type.Integer(),
      }),
    },
    "tenants.mine": {
      role: "viewer",
      summary: "Tenants that the caller may enter",
      result: Type.Object({
        tenants: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), slug: Type.String(), role: Type.String(), status: Type.String() })),
      }),
    },
  },
})
