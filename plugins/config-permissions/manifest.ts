import { AgentParts, AgentSections, Agents, ConfigPermissions, configTypes, defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

const Time = Type.String({ format: "date-time" })
const ConfigType = Type.Enum([...configTypes])
const Permit = Type.Enum(["allow", "deny"])
const Ref = Type.String({ maxLength: 100, description: "Agent key or UUID." })
const Scope = Type.String({ maxLength: 300, pattern: "^(agent|\\*|group:\\*|group:[^:]+:.+)$", description: "agent, group:<channel>:<chat>, group:* or *." })
const UserId = Type.String({ minLength: 1, maxLength: 255, description: "* is everybody." })
const Metadata = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 })

/** Source: wire contract, websocket 4.12. */
const Permission = Type.Object({
  id: Type.String({ format: "uuid" }),
  agentId: Type.String(),
  scope: Type.String(),
  configType: ConfigType,
  userId: Type.String(),
  permission: Permit,
  grantedBy: Type.Optional(Type.String()),
  metadata: Type.Optional(Metadata),
  createdAt: Time,
  updatedAt: Time,
})
/** In an agent's export. */
export const Rule = Type.Object({ scope: Scope, config_type: ConfigType, user_id: UserId, permission: Permit, metadata: Type.Optional(Metadata) })
/** The default agent, and everywhere, when the command-line client says no more. Source: wire contract, websocket 8.1. */
const OfUser = {
  agentId: Type.Optional(Ref),
  scope: Type.Optional(Scope),
  configType: ConfigType,
  userId: UserId,
}
const aliases = { key: "configType", agent_id: "agentId", user_id: "userId" } as const
const Ok = Type.Object({ ok: Type.Literal(true) })

export const manifest = defineManifest({
  id: "config-permissions",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Who may change which part of an agent, beside its owner and the admins.",
  requires: [Agents],
  offers: [ConfigPermissions],
  contributes: [AgentParts, AgentSections],
  capabilities: { db: true },
  rpc: {
    "config.permissions.list": {
      role: "admin",
      summary: "Permissions of an agent; of all agents when none is named",
      params: Type.Object({ agentId: Type.Optional(Ref), configType: Type.Optional(ConfigType) }),
      // A bare array for the command-line client of today. Source: wire contract, websocket 8.2.
      result: Type.Union([Type.Object({ permissions: Type.Array(Permission) }), Type.Array(Permission)]),
      aliases,
    },
    "config.permissions.check": {
      role: "admin",
      summary: "Whether a user may change a part of an agent, and why",
      params: Type.Object({ ...OfUser, agentId: Ref, scope: Scope }),
      result: Type.Object({
        decision: Type.Object({ allowed: Type.Boolean(), agentId: Type.String(), scope: Type.String(), configType: ConfigType, userId: Type.String(), reason: Type.String() }),
      }),
      aliases,
    },
    "config.permissions.grant": {
      role: "admin",
      summary: "Let a user change a part of an agent, or keep them from it",
      params: Type.Object({ ...OfUser, permission: Type.Optional(Permit), grantedBy: Type.Optional(Type.String({ maxLength: 255 })), metadata: Type.Optional(Metadata) }),
      result: Ok,
      aliases,
      order: "userId",
    },
    "config.permissions.revoke": { role: "admin", summary: "Take a permission back; there or not", params: Type.Object(OfUser), result: Ok, aliases, order: "userId" },
  },
  events: { "config-permissions.changed": { payload: Type.Object({}), to: "internal" } },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    too_many: { kind: "FAILED_PRECONDITION", params: Type.Object({ most: Type.Integer() }) },
  },
})
