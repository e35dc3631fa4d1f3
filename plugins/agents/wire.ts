import type { AgentProfile } from "@plugboard/sdk"
import { promotedConfigs } from "./merge.ts"
import type { AgentRow } from "./store.ts"

const mostCandidates = 10

/** The wire's agent. Promoted fields stand at the top and inside `other_config`, for the clients of either generation. Source: wire contract, http-core 5. */
export function shownAgent(row: AgentRow, defaults: { provider: string; model: string }) {
  const { configs, description, display_name, frontmatter, avatar, system_prompt, budget_monthly_cents, shared_with, ...rest } = row
  const { emoji, thinking_level, max_tokens, self_evolve, skill_evolve, skill_nudge_interval } = row
  const provider = row.provider || defaults.provider
  return {
    ...rest,
    name: row.agent_key,
    provider,
    model: row.model || (row.provider === "" || row.provider === defaults.provider ? defaults.model : ""),
    restrict_to_workspace: true,
    agent_description: description,
    ...(display_name !== "" && { display_name }),
    ...(description !== "" && { description }),
    ...(frontmatter !== "" && { frontmatter }),
    ...(avatar !== "" && { avatar }),
    ...(system_prompt !== "" && { system_prompt }),
    ...(budget_monthly_cents !== null && { budget_monthly_cents }),
    ...configs,
    other_config: {
      ...configs.other_config,
      ...Object.fromEntries(promotedConfigs.flatMap((name) => (configs[name] ? [[name, configs[name]]] : []))),
      ...(emoji !== "" && { emoji }),
      ...(description !== "" && { description }),
      thinking_level,
      max_tokens,
      self_evolve,
      skill_evolve,
      skill_nudge_interval,
    },
  }
}

export function profileOf(row: AgentRow): AgentProfile {
  return {
    id: row.id,
    key: row.agent_key,
    displayName: row.display_name || row.agent_key,
    type: row.agent_type,
    ownerId: row.owner_id,
    status: row.status,
    isDefault: row.is_default,
    provider: row.provider,
    model: row.model,
    systemPrompt: row.system_prompt,
    contextWindow: row.context_window,
    maxToolIterations: row.max_tool_iterations,
    maxTokens: row.max_tokens,
    thinkingLevel: row.thinking_level,
    modelFallback: fallbackOf(row.configs.model_fallback),
    emoji: row.emoji,
    description: row.description,
    toolsConfig: row.configs.tools_config ?? {},
    compactionConfig: row.configs.compaction_config ?? {},
    budgetMonthlyCents: row.budget_monthly_cents,
    createdAt: row.created_at,
  }
}

/** What is not a link is passed over: clients may send anything there. Source: wire contract, http-core 5; `strategy` is ours. */
function fallbackOf(config: Readonly<Record<string, unknown>> | undefined): AgentProfile["modelFallback"] {
  if (!Array.isArray(config?.candidates)) return undefined
  const links = config.candidates.slice(0, mostCandidates) as ({ provider?: unknown; model?: unknown } | null)[]
  const candidates = links.flatMap((link) => {
    if (typeof link?.provider !== "string" || link.provider === "") return []
    return [{ provider: link.provider, ...(typeof link.model === "string" && link.model !== "" && { model: link.model }) }]
  })
  return { candidates, strategy: config.strategy === "round_robin" ? "round_robin" : "in_order" }
}
