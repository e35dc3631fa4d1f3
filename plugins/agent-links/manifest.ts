import { AgentLinks, AgentParts, AgentSections, Agents, defineManifest, PageQuery } from "@plugboard/sdk"
import { Type } from "typebox"

const Uuid = Type.String({ format: "uuid" })
const Time = Type.String({ format: "date-time" })
const AgentRef = Type.String({ minLength: 1, maxLength: 100, description: "Agent key or UUID." })
const Direction = Type.Enum(["outbound", "inbound", "bidirectional"], {
  description: "Who may hand work to whom: the source to the target, the target to the source, or each to the other.",
})
const Status = Type.Enum(["active", "disabled"])
const Description = Type.String({ maxLength: 2_000, description: "What the target is for." })
const MaxConcurrent = Type.Integer({ minimum: 1, maximum: 1_000, description: "Delegations of this link at once." })
const Settings = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 100 })

/** Source: wire contract, websocket 4.3. */
const Link = Type.Object({
  id: Uuid,
  created_at: Time,
  updated_at: Time,
  source_agent_id: Uuid,
  target_agent_id: Uuid,
  direction: Direction,
  description: Type.Optional(Description),
  max_concurrent: MaxConcurrent,
  settings: Type.Optional(Settings),
  status: Status,
  created_by: Type.String(),
  source_agent_key: Type.Optional(Type.String()),
  source_display_name: Type.Optional(Type.String()),
  source_emoji: Type.Optional(Type.String()),
  target_agent_key: Type.Optional(Type.String()),
  target_display_name: Type.Optional(Type.String()),
  target_emoji: Type.Optional(Type.String()),
  target_description: Type.Optional(Type.String()),
  team_id: Type.Optional(Uuid),
  team_name: Type.Optional(Type.String()),
  target_is_team_lead: Type.Optional(Type.Boolean()),
  target_team_name: Type.Optional(Type.String()),
})
/** The command-line client's columns. Source: wire contract, http-core 5. */
const HttpLink = Type.Object({ ...Link.properties, source_agent: Type.String(), target_agent: Type.String() })

const Change = {
  direction: Type.Optional(Direction),
  description: Type.Optional(Description),
  settings: Type.Optional(Settings),
  status: Type.Optional(Status),
}
/** In an agent's export. */
export const Exported = Type.Object({
  target_agent_key: AgentRef,
  direction: Direction,
  description: Description,
  max_concurrent: MaxConcurrent,
  settings: Settings,
  status: Status,
})
const Ok = Type.Object({ ok: Type.Literal(true) })
const Id = Type.Object({ linkID: Type.String({ maxLength: 100 }) })
const LinkId = Type.String({ maxLength: 100 })
const tags = ["Agents"]
const changedLink = { link_id: Type.String(), source_agent_key: Type.String(), target_agent_key: Type.String() }

export const manifest = defineManifest({
  id: "agent-links",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Links between agents: who may hand work to whom.",
  requires: [Agents],
  offers: [AgentLinks],
  contributes: [AgentParts, AgentSections],
  capabilities: { db: true },
  routes: {
    list: {
      method: "GET",
      path: "/v1/agents/links",
      role: "viewer",
      summary: "List links between agents that the caller may use",
      tags,
      query: PageQuery,
      reply: Type.Object({ links: Type.Array(HttpLink), count: Type.Integer() }),
      alsoAs: "payload",
    },
    create: {
      method: "POST",
      path: "/v1/agents/links",
      role: "admin",
      summary: "Link two agents",
      tags,
      status: 201,
      body: Type.Object({ source_agent: AgentRef, target_agent: AgentRef, ...Change, max_concurrent: Type.Optional(MaxConcurrent) }),
      reply: HttpLink,
    },
    update: {
      method: "PUT",
      path: "/v1/agents/links/:linkID",
      role: "admin",
      summary: "Change a link",
      tags,
      params: Id,
      body: Type.Object({ ...Change, max_concurrent: Type.Optional(MaxConcurrent) }),
      reply: Ok,
    },
    remove: { method: "DELETE", path: "/v1/agents/links/:linkID", role: "admin", summary: "Remove a link", tags, params: Id, reply: Ok },
  },
  rpc: {
    "agents.links.list": {
      role: "viewer",
      summary: "List the links of an agent, between agents that the caller may use",
      params: Type.Object({
        agentId: Type.Optional(Type.String({ maxLength: 100, description: "Agent key or UUID; all of the tenant when left out." })),
        direction: Type.Optional(Type.Enum(["from", "to", "all"], { default: "from", description: "Links whose source it is, whose target it is, or both." })),
      }),
      result: Type.Object({ links: Type.Array(Link), count: Type.Integer() }),
      aliases: { agent_id: "agentId" },
    },
    "agents.links.create": {
      role: "admin",
      summary: "Link two agents",
      params: Type.Object({ sourceAgent: AgentRef, targetAgent: AgentRef, ...Change, maxConcurrent: Type.Optional(MaxConcurrent) }),
      result: Type.Object({ link: Link }),
    },
    "agents.links.update": {
      role: "admin",
      summary: "Change a link",
      params: Type.Object({ linkId: LinkId, ...Change, maxConcurrent: Type.Optional(MaxConcurrent) }),
      result: Ok,
      order: "linkId",
    },
    "agents.links.delete": { role: "admin", summary: "Remove a link", params: Type.Object({ linkId: LinkId }), result: Ok, order: "linkId" },
  },
  events: {
    "agent_link.created": {
      payload: Type.Object({ ...changedLink, source_agent_id: Uuid, target_agent_id: Uuid, direction: Direction, team_id: Type.Optional(Uuid), status: Status }),
      to: "admins",
    },
    "agent_link.updated": { payload: Type.Object({ ...changedLink, direction: Direction, status: Status, changes: Type.Array(Type.String()) }), to: "admins" },
    "agent_link.deleted": { payload: Type.Object(changedLink), to: "admins" },
    "agent_links.changed": { payload: Type.Object({}), to: "internal" },
  },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    unknown_link: { kind: "NOT_FOUND", params: Type.Object({ link: Type.String() }) },
    same_agent: { kind: "INVALID_REQUEST", params: Type.Object({ agent: Type.String() }) },
    open_target: { kind: "INVALID_REQUEST", params: Type.Object({ agent: Type.String() }) },
    linked_already: { kind: "ALREADY_EXISTS", params: Type.Object({ source: Type.String(), target: Type.String() }) },
  },
})
