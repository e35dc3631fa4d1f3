import { Type } from "typebox"

// What clients send of an agent. Three generations of clients use different names for the same things; all are taken. Source: wire contract, http-core 5 and websocket 4.3.

/** Objects that are kept as they are; null clears one. */
export const configNames = [
  "tools_config",
  "sandbox_config",
  "subagents_config",
  "memory_config",
  "compaction_config",
  "context_pruning",
  "other_config",
  "reasoning_config",
  "workspace_sharing",
  "chatgpt_oauth_routing",
  "model_fallback",
  "shell_deny_groups",
  "kg_dedup_config",
] as const

const Text = (maxLength: number) => Type.Optional(Type.String({ maxLength }))
const ClearableText = (maxLength: number) => Type.Optional(Type.Union([Type.String({ maxLength }), Type.Null()]))
const Config = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]))
const Count = Type.Optional(Type.Integer({ maximum: 2_000_000_000 }))
const Cents = Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 2_000_000_000 }), Type.Null()]))

export const agentFields = {
  agent_key: Type.Optional(
    Type.String({
      maxLength: 100,
      documented: { pattern: "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$" },
      examples: ["support"],
      description: "A slug; made of the name when left out. `name` may hold it too.",
    }),
  ),
  name: Text(255),
  display_name: Text(255),
  agent_type: Type.Optional(Type.Enum(["open", "predefined"])),
  provider: Text(100),
  model: Text(255),
  description: Text(10_000),
  agent_description: ClearableText(10_000),
  system_prompt: Text(200_000),
  frontmatter: Text(10_000),
  emoji: ClearableText(64),
  avatar: Text(2_000),
  thinking_level: Text(50),
  workspace: Text(500),
  status: Type.Optional(Type.Enum(["active", "inactive"])),
  is_default: Type.Optional(Type.Boolean()),
  self_evolve: Type.Optional(Type.Boolean()),
  skill_evolve: Type.Optional(Type.Boolean()),
  context_window: Count,
  max_tool_iterations: Count,
  max_tokens: Count,
  skill_nudge_interval: Count,
  budget_monthly_cents: Cents,
  monthly_cents: Cents,
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
}

export const AgentInput = Type.Object(agentFields)
/** A letter or digit makes a key. */
const nameable = { type: "string", pattern: "[A-Za-z0-9]" }
export const NewAgent = Type.Object(agentFields, {
  documented: {
    anyOf: [
      { required: ["agent_key"], properties: { agent_key: { type: "string", minLength: 1 } } },
      { required: ["name"], properties: { name: nameable } },
      { required: ["display_name"], properties: { display_name: nameable } },
    ],
  },
  examples: [{ name: "support", display_name: "Support", agent_type: "predefined", system_prompt: "You answer questions about our product." }],
})
