import { AgentFileStore, AgentParts, AgentStates, Agents, defineManifest, Providers, Summoning } from "@plugboard/sdk"
import { Type } from "typebox"

export const Config = Type.Object(
  {
    limitSeconds: Type.Integer({ default: 300, minimum: 1, maximum: 3_600, description: "How long a model may take to write who an agent is." }),
    delayMs: Type.Integer({
      default: 1_500,
      minimum: 0,
      maximum: 60_000,
      description: "Between the reply and the first event: dashboards drop what comes before their window is open.",
    }),
    maxTokens: Type.Integer({ default: 4_000, minimum: 200, maximum: 100_000, description: "Tokens of the model's answer." }),
  },
  { additionalProperties: false },
)

const Id = Type.Object({ id: Type.String({ maxLength: 100, description: "UUID or agent key." }) })
const Wish = Type.Object({ prompt: Type.Optional(Type.String({ maxLength: 20_000, description: "What is to be different; what the description says when left out." })) })
const Begun = Type.Object({ ok: Type.Literal("true"), status: Type.Enum(["summoning", "summon_failed"]) })
const common = { method: "POST", role: "operator", tags: ["Agents"], status: 202, params: Id, reply: Begun } as const

export const manifest = defineManifest({
  id: "agent-summoning",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "A model writes who an agent is, from a description.",
  requires: [AgentFileStore, AgentStates, Agents, Providers],
  offers: [Summoning],
  contributes: [AgentParts],
  capabilities: { db: true },
  config: Config,
  routes: {
    regenerate: { ...common, path: "/v1/agents/:id/regenerate", summary: "Have a model rewrite an agent's files", body: Wish },
    resummon: { ...common, path: "/v1/agents/:id/resummon", summary: "Have a model write an agent's files anew, from its description" },
    cancel: { ...common, path: "/v1/agents/:id/cancel-summon", summary: "End the summoning of an agent" },
  },
  events: { "agent_summoning.ended": { payload: Type.Object({ id: Type.String() }), to: "internal" } },
  jobs: { sweep: { data: Type.Object({}), cron: "*/5 * * * *" } },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    not_owner: { kind: "FORBIDDEN", params: Type.Object({ agent: Type.String() }) },
    summoning_already: { kind: "FAILED_PRECONDITION", params: Type.Object({ agent: Type.String() }) },
    not_summoning: { kind: "FAILED_PRECONDITION", params: Type.Object({ agent: Type.String() }) },
    no_description: { kind: "INVALID_REQUEST", params: Type.Object({ agent: Type.String() }) },
    no_model: { kind: "UNAVAILABLE", params: Type.Object({ agent: Type.String() }) },
    no_files: { kind: "UNPROCESSABLE" },
    cancelled: { kind: "FAILED_PRECONDITION" },
    interrupted: { kind: "UNAVAILABLE" },
    too_slow: { kind: "AGENT_TIMEOUT", params: Type.Object({ seconds: Type.Integer() }) },
  },
})
