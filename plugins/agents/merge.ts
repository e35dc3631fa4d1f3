import { posix } from "node:path"
import type { Static } from "typebox"
import { type AgentInput, configNames } from "./fields.ts"
import type { Written } from "./store.ts"

export type Input = Static<typeof AgentInput>

const slug = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
/** Literal segments of the agents' paths. */
const reserved = new Set(["links", "import", "sync-workspace"])
/** Could not be told from an id. */
const uuidLike = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function isKey(text: string): boolean {
  return text.length <= 100 && slug.test(text) && !reserved.has(text) && !uuidLike.test(text)
}

/** A key made of a name; empty when there is nothing in it to make one of. */
export function keyOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[đĐ]/g, "d")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 90)
    .replace(/^-+|-+$/g, "")
}

/** True when the workspace stays below the root. */
export function isInside(root: string, workspace: string): boolean {
  const path = posix.normalize(workspace.replaceAll("\\", "/"))
  return path.startsWith(`${posix.normalize(root)}/`) && !path.includes("\0")
}

/** Fields that older clients keep inside `other_config`; outside wins. Source: wire contract, http-core 5, "Promoted fields". */
const promoted = ["emoji", "description", "thinking_level", "max_tokens", "self_evolve", "skill_evolve", "skill_nudge_interval"] as const
export const promotedConfigs = ["workspace_sharing", "shell_deny_groups"] as const

/** What an agent becomes when `input` is written over it. Absent means unchanged, null clears, objects are replaced. */
export function merge(present: Written, input: Input): Written {
  const inner = (input.other_config ?? {}) as Record<string, unknown>
  const old = Object.fromEntries(promoted.map((name) => [name, inner[name]])) as Record<(typeof promoted)[number], unknown>
  const description = input.agent_description !== undefined ? (input.agent_description ?? "") : (input.description ?? text(old.description))
  const budget = input.budget_monthly_cents !== undefined ? input.budget_monthly_cents : input.monthly_cents
  const configs = { ...present.configs }
  for (const name of promotedConfigs) if (isObject(inner[name])) configs[name] = inner[name]
  for (const name of configNames) {
    const value = input[name]
    if (value === null) delete configs[name]
    else if (value !== undefined) configs[name] = name === "other_config" ? withoutPromoted(value) : value
  }
  return {
    ...present,
    agent_key: input.agent_key || present.agent_key,
    display_name: input.display_name ?? (input.name !== undefined && !isKey(input.name) ? input.name : present.display_name),
    agent_type: input.agent_type ?? present.agent_type,
    status: input.status ?? present.status,
    is_default: input.is_default ?? present.is_default,
    provider: input.provider ?? present.provider,
    model: input.model ?? present.model,
    system_prompt: input.system_prompt ?? present.system_prompt,
    description: description ?? present.description,
    frontmatter: input.frontmatter ?? present.frontmatter,
    emoji: input.emoji !== undefined ? (input.emoji ?? "") : (text(old.emoji) ?? present.emoji),
    avatar: input.avatar ?? present.avatar,
    thinking_level: input.thinking_level ?? text(old.thinking_level) ?? present.thinking_level,
    workspace: input.workspace || present.workspace,
    context_window: positive(input.context_window) ?? present.context_window,
    max_tool_iterations: positive(input.max_tool_iterations) ?? present.max_tool_iterations,
    max_tokens: counted(input.max_tokens) ?? counted(old.max_tokens) ?? present.max_tokens,
    skill_nudge_interval: counted(input.skill_nudge_interval) ?? counted(old.skill_nudge_interval) ?? present.skill_nudge_interval,
    self_evolve: input.self_evolve ?? truth(old.self_evolve) ?? present.self_evolve,
    skill_evolve: input.skill_evolve ?? truth(old.skill_evolve) ?? present.skill_evolve,
    budget_monthly_cents: budget === undefined ? present.budget_monthly_cents : budget,
    configs,
  }
}

/** They have places of their own; kept in both they would contradict each other. */
function withoutPromoted(config: Record<string, unknown>): Record<string, unknown> {
  const elsewhere: readonly string[] = [...promoted, ...promotedConfigs]
  return Object.fromEntries(Object.entries(config).filter(([name]) => !elsewhere.includes(name)))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}
function truth(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined
}
function counted(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 2_000_000_000 ? value : undefined
}
/** 0 and less count as absent. */
function positive(value: unknown): number | undefined {
  return counted(value) || undefined
}
