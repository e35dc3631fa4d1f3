import { AgentParts, Agents, defineManifest, PageQuery, Providers } from "@plugboard/sdk"
import { Type } from "typebox"
import { AgentInput, agentFields } from "./fields.ts"

const Config = Type.Optional(Type.Record(Type.String(), Type.Unknown()))
export const Agent = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenant_id: Type.String({ format: "uuid" }),
  agent_key: Type.String(),
  name: Type.String({ description: "The same as agent_key." }),
  display_name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  agent_description: Type.String(),
  system_prompt: Type.Optional(Type.String()),
  frontmatter: Type.Optional(Type.String()),
  owner_id: Type.String(),
  provider: Type.String({ description: "Name of a provider." }),
  model: Type.String(),
  context_window: Type.Integer({ description: "Model tokens." }),
  max_tool_iterations: Type.Integer({ description: "Model calls of one run at most." }),
  workspace: Type.String(),
  restrict_to_workspace: Type.Boolean(),
  agent_type: Type.Enum(["open", "predefined"]),
  is_default: Type.Boolean(),
  status: Type.Enum(["active", "inactive", "summoning", "summon_failed"]),
  budget_monthly_cents: Type.Optional(Type.Integer()),
  emoji: Type.String(),
  avatar: Type.Optional(Type.String()),
  thinking_level: Type.String(),
  max_tokens: Type.Integer(),
  self_evolve: Type.Boolean(),
  skill_evolve: Type.Boolean(),
  skill_nudge_interval: Type.Integer(),
  tools_config: Config,
  sandbox_config: Config,
  subagents_config: Config,
  memory_config: Config,
  compaction_config: Config,
  context_pruning: Config,
  other_config: Config,
  reasoning_config: Config,
  workspace_sharing: Config,
  chatgpt_oauth_routing: Config,
  model_fallback: Config,
  shell_deny_groups: Config,
  kg_dedup_config: Config,
  created_at: Type.String({ format: "date-time" }),
  updated_at: Type.String({ format: "date-time" }),
})

const Id = Type.Object({ id: Type.String({ maxLength: 100, description: "UUID or agent key." }) })
const AgentRef = Type.String({ maxLength: 100, description: "Agent key or UUID." })
const Owners = { owner_ids: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 10, description: "Admins only; the first becomes the owner." })) }
const Done = Type.Object({ ok: Type.Literal("true") })
const tags = ["Agents"]

export const manifest = defineManifest({
  id: "agents",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Agents of a tenant: who they are, what they run on, who may use them.",
  requires: [Providers],
  offers: [Agents],
  opens: [AgentParts],
  capabilities: { db: true },
  config: Type.Object({ workspaceRoot: Type.String({ default: "workspace", description: "Folder under which every agent's workspace lies." }) }, { additionalProperties: false }),
  routes: {
    list: {
      method: "GET",
      path: "/v1/agents",
      role: "viewer",
      summary: "List agents",
      tags,
      query: PageQuery,
      reply: Type.Object({ agents: Type.Array(Agent) }),
      alsoAs: "payload",
    },
    create: { method: "POST", path: "/v1/agents", role: "admin", summary: "Make an agent", tags, status: 201, body: AgentInput, reply: Agent },
    get: { method: "GET", path: "/v1/agents/:id", role: "viewer", summary: "Show an agent", tags, params: Id, reply: Agent },
    update: {
      method: "PUT",
      path: "/v1/agents/:id",
      role: "operator",
      summary: "Change an agent",
      tags,
      params: Id,
      body: AgentInput,
      reply: Type.Object({ ok: Type.Literal("true"), agent: Agent }),
    },
    remove: { method: "DELETE", path: "/v1/agents/:id", role: "admin", summary: "Remove an agent", tags, params: Id, reply: Done },
  },
  rpc: {
    "agents.list": {
      role: "viewer",
      summary: "List the active agents that the caller may use",
      result: Type.Object({
        agents: Type.Array(
          Type.Object({
            id: Type.String(),
            name: Type.String(),
            model: Type.String(),
            provider: Type.String(),
            agentType: Type.String(),
            status: Type.String(),
            isRunning: Type.Boolean(),
          }),
        ),
      }),
    },
    "agents.create": {
      role: "admin",
      summary: "Make an agent",
      params: Type.Object({ ...agentFields, ...Owners }),
      result: Type.Object({ ok: Type.Literal(true), agentId: Type.String(), name: Type.String(), workspace: Type.String() }),
    },
    "agents.update": {
      role: "operator",
      summary: "Change an agent",
      params: Type.Object({ agentId: AgentRef, ...agentFields, ...Owners }),
      result: Type.Object({ ok: Type.Literal(true), agentId: Type.String() }),
      order: "agentId",
    },
    "agents.delete": {
      role: "admin",
      summary: "Remove an agent",
      params: Type.Object({ agentId: AgentRef }),
      result: Type.Object({ ok: Type.Literal(true), agentId: Type.String(), removedBindings: Type.Integer() }),
      order: "agentId",
    },
    agent: {
      role: "viewer",
      summary: "Whether an agent runs",
      params: Type.Object({ agentId: Type.Optional(AgentRef) }),
      result: Type.Object({ id: Type.String(), isRunning: Type.Boolean() }),
    },
    "agent.identity.get": {
      role: "viewer",
      summary: "Name and face of an agent",
      params: Type.Object({ agentId: Type.Optional(AgentRef), sessionKey: Type.Optional(Type.String({ maxLength: 500 })) }),
      result: Type.Object({
        agentId: Type.String(),
        name: Type.Optional(Type.String()),
        emoji: Type.Optional(Type.String()),
        avatar: Type.Optional(Type.String()),
        description: Type.Optional(Type.String()),
      }),
    },
  },
  events: {
    "agents.changed": { payload: Type.Object({ id: Type.String() }), to: "internal" },
    "agent.summoning": {
      payload: Type.Object({
        type: Type.Enum(["started", "file_generated", "completed", "failed"]),
        agent_id: Type.String(),
        file: Type.Optional(Type.String()),
        error: Type.Optional(Type.String()),
      }),
      to: "user+admins",
    },
  },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }), openai: { code: "model_not_found" } },
    key_taken: { kind: "ALREADY_EXISTS", params: Type.Object({ key: Type.String() }) },
    bad_key: { kind: "INVALID_REQUEST", params: Type.Object({ key: Type.String() }) },
    no_name: { kind: "INVALID_REQUEST" },
    bad_workspace: { kind: "INVALID_REQUEST", params: Type.Object({ root: Type.String() }) },
    not_owner: { kind: "FORBIDDEN", params: Type.Object({ agent: Type.String() }) },
    default_stays: { kind: "INVALID_REQUEST" },
  },
})
