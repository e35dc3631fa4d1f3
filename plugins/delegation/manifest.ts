import { AgentLinks, AgentParts, Agents, defineManifest, PageQuery, Runs, Sessions, Tools } from "@plugboard/sdk"
import { Type } from "typebox"

export const Config = Type.Object(
  {
    maxDepth: Type.Integer({ default: 3, minimum: 1, maximum: 10, description: "Agents in a row that may hand the same work on." }),
    maxRounds: Type.Integer({ default: 10, minimum: 1, maximum: 1_000, description: "Results in a row at which an agent may hand on more work, without a word of the user's." }),
    timeoutSeconds: Type.Integer({ default: 300, minimum: 1, maximum: 3_600, description: "Longest delegation; then its run is ended." }),
    maxResultChars: Type.Integer({ default: 50_000, minimum: 500, maximum: 1_000_000, description: "Of a result that the agent is told; the record has all of it." }),
    keepDays: Type.Integer({ default: 90, minimum: 1, maximum: 3_650, description: "How long records are kept." }),
  },
  { additionalProperties: false },
)

const Uuid = Type.String({ format: "uuid" })
const Time = Type.String({ format: "date-time" })
const AgentRef = Type.Optional(Type.String({ maxLength: 100, description: "Agent key or UUID." }))
const Status = Type.Enum(["running", "completed", "failed", "cancelled"])
const Mode = Type.Enum(["sync", "async"])

/** Source: wire contract, http-observability 5. */
const Record = Type.Object({
  id: Uuid,
  source_agent_id: Uuid,
  target_agent_id: Uuid,
  source_agent_key: Type.String(),
  target_agent_key: Type.String(),
  team_id: Type.Optional(Uuid),
  team_task_id: Type.Optional(Uuid),
  user_id: Type.String(),
  task: Type.String(),
  mode: Mode,
  status: Status,
  result: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  iterations: Type.Integer({ description: "Model calls of the target's run." }),
  trace_id: Type.Optional(Uuid),
  duration_ms: Type.Integer({ description: "Until now while it is running." }),
  metadata: Type.Object({ run_id: Uuid, session_key: Type.String(), parent_run_id: Uuid, parent_session_key: Type.String(), link_id: Uuid, depth: Type.Integer() }),
  created_at: Time,
  updated_at: Time,
  completed_at: Type.Optional(Time),
})
const Records = Type.Object({ records: Type.Array(Record), total: Type.Integer() })
const exactly = (what: string) => Type.Optional(Type.String({ maxLength: 255, description: what }))
/** Source: wire contract, websocket 5.3. */
const told = {
  payload: Type.Object({
    delegation_id: Uuid,
    source_agent_id: Uuid,
    source_agent_key: Type.String(),
    source_display_name: Type.String(),
    target_agent_id: Uuid,
    target_agent_key: Type.String(),
    target_display_name: Type.String(),
    user_id: Type.String(),
    channel: Type.String(),
    chat_id: Type.String(),
    mode: Mode,
    task: Type.String({ description: "Its beginning." }),
    team_id: Type.Optional(Uuid),
    team_task_id: Type.Optional(Uuid),
    status: Status,
    elapsed_ms: Type.Integer(),
    error: Type.Optional(Type.String()),
    created_at: Time,
  }),
  to: "user+admins",
} as const
const agent = Type.Object({ agent: Type.String() })
const tags = ["Delegations"]

export const manifest = defineManifest({
  id: "delegation",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Agents hand work to the agents that they are linked to.",
  requires: [AgentLinks, Agents, Runs, Sessions],
  contributes: [AgentParts, Tools],
  capabilities: { db: true },
  config: Config,
  hooks: { "tools.resolving": { phase: "offer" }, "run.finished": { phase: "record" } },
  listens: ["sessions.interrupted"],
  routes: {
    list: {
      method: "GET",
      path: "/v1/delegations",
      role: "viewer",
      summary: "List delegations, the newest first",
      tags,
      query: Type.Object({
        ...PageQuery.properties,
        source_agent_id: AgentRef,
        target_agent_id: AgentRef,
        agent_id: Type.Optional(Type.String({ maxLength: 100, description: "Source or target." })),
        team_id: exactly("Only those of this team."),
        user_id: exactly("Only those of this user, for admins; below admin it is always the caller."),
        status: exactly("running, completed, failed or cancelled."),
      }),
      reply: Records,
      alsoAs: "payload",
    },
    get: { method: "GET", path: "/v1/delegations/:id", role: "viewer", summary: "Get a delegation", tags, params: Type.Object({ id: Uuid }), reply: Record },
  },
  rpc: {
    "delegations.list": {
      role: "viewer",
      summary: "Delegations, the newest first, with the beginning of their results",
      params: Type.Object({
        agentId: AgentRef,
        status: exactly("running, completed, failed or cancelled."),
        limit: Type.Optional(Type.Integer()),
        offset: Type.Optional(Type.Integer()),
      }),
      result: Records,
      aliases: { agent_id: "agentId" },
    },
    "delegations.get": { role: "viewer", summary: "A delegation", params: Type.Object({ id: Uuid }), result: Record },
  },
  events: { "delegation.started": told, "delegation.completed": told, "delegation.failed": told, "delegation.cancelled": told },
  jobs: { tend: { data: Type.Object({}), cron: "*/5 * * * *" } },
  errors: {
    unknown_delegation: { kind: "NOT_FOUND", params: Type.Object({ id: Type.String() }) },
    // What the model reads, and why a delegation has failed.
    not_linked: { kind: "FORBIDDEN", params: Type.Object({ agent: Type.String(), agents: Type.String() }) },
    circle: { kind: "FAILED_PRECONDITION", params: agent },
    too_deep: { kind: "FAILED_PRECONDITION", params: Type.Object({ maxDepth: Type.Integer() }) },
    too_many_rounds: { kind: "FAILED_PRECONDITION", params: Type.Object({ maxRounds: Type.Integer() }) },
    busy: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ agent: Type.String(), maxConcurrent: Type.Integer() }) },
    no_task: { kind: "INVALID_REQUEST" },
    not_done: { kind: "UNPROCESSABLE", params: Type.Object({ agent: Type.String(), cause: Type.String() }) },
    timed_out: { kind: "AGENT_TIMEOUT", params: Type.Object({ seconds: Type.Integer() }) },
    interrupted: { kind: "UNAVAILABLE" },
    cancelled: { kind: "UNPROCESSABLE" },
    no_answer: { kind: "INTERNAL" },
  },
})
