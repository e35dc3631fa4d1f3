import { defineManifest, Logs, logLevels } from "@plugboard/sdk"
import { Type } from "typebox"

const Level = Type.Enum([...logLevels])

export const manifest = defineManifest({
  id: "logs",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The gateway's log, for those who watch it from elsewhere.",
  requires: [Logs],
  config: Type.Object(
    {
      maxTails: Type.Integer({ default: 50, minimum: 1, maximum: 1_000, description: "Sockets that follow the log at once on this node." }),
      linesPerSecond: Type.Integer({ default: 500, minimum: 10, maximum: 10_000, description: "Lines to one socket; of more the oldest are left out, and it is told how many." }),
    },
    { additionalProperties: false },
  ),
  routes: {
    aggregate: {
      method: "GET",
      path: "/v1/logs/runtime/aggregate",
      role: "admin",
      summary: "How many of the last 1,000 lines there are of each level or source",
      tags: ["Logs"],
      query: Type.Object({
        group_by: Type.Optional(Type.Enum(["level", "source"], { default: "level" })),
        level: Type.Optional(Level),
        source: Type.Optional(Type.String({ maxLength: 100, description: "Id of a plugin, or gateway." })),
        from: Type.Optional(Type.String({ format: "date-time" })),
      }),
      reply: Type.Object({
        source: Type.Literal("runtime"),
        group_by: Type.Enum(["level", "source"]),
        total: Type.Integer(),
        buckets: Type.Array(Type.Object({ key: Type.String(), count: Type.Integer() })),
        from: Type.Optional(Type.String()),
      }),
    },
  },
  rpc: {
    "logs.tail": {
      role: "admin",
      summary: "Follow the log of this node as events, or no longer",
      params: Type.Object({
        action: Type.Optional(Type.Enum(["start", "stop"], { default: "start" })),
        level: Type.Optional(Type.Union([Level, Type.Literal("")], { description: "The least; info when left out." })),
        agentId: Type.Optional(Type.String({ maxLength: 100, description: "Only lines about this agent: key or id." })),
      }),
      // Source: wire contract, websocket 4.13.
      result: Type.Union([Type.Object({ status: Type.Literal("tailing"), level: Level }), Type.Object({ status: Type.Literal("stopped") })]),
    },
  },
  events: {
    log: {
      payload: Type.Object({
        timestamp: Type.Integer({ description: "Ms since 1970." }),
        level: Level,
        message: Type.String(),
        source: Type.Optional(Type.String()),
        attrs: Type.Optional(Type.Record(Type.String(), Type.String())),
        time: Type.String({ format: "date-time" }),
      }),
      to: "socket",
    },
  },
  errors: { too_many: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ most: Type.Integer() }) } },
})
