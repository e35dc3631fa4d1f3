import { type Caller, seesAll } from "../caller.ts"
import { service } from "../tokens.ts"
import type { RouteLink } from "./routes.ts"

/** An agent as a run needs it. Empty `provider` or `model`: the tenant's default. */
export interface AgentProfile {
  id: string
  /** The slug that session keys, events and `goclaw:<key>` model names carry. */
  key: string
  displayName: string
  /** `predefined`: the same for everybody. `open`: each user's own copy of its files. */
  type: "open" | "predefined"
  ownerId: string
  status: "active" | "inactive" | "summoning" | "summon_failed"
  isDefault: boolean
  provider: string
  model: string
  systemPrompt: string
  /** Model tokens. */
  contextWindow: number
  /** Model calls of one run at most. */
  maxToolIterations: number
  /** Tokens of one answer; 0: the provider's own limit. */
  maxTokens: number
  /** `low`, `high` and so on; empty: as the provider's settings say. */
  thinkingLevel: string
  /** Asked when its provider gives no answer; undefined: as the provider's settings say. */
  modelFallback?: { candidates: readonly RouteLink[]; strategy: "in_order" | "round_robin" }
  emoji: string
  description: string
  /** `allow` and `deny` of tool names, and what else the wire contract has under `tools_config`. */
  toolsConfig: Readonly<Record<string, unknown>>
  /** How its conversations are kept within the window; as the wire contract has `compaction_config`. */
  compactionConfig: Readonly<Record<string, unknown>>
  /** US cents that it may spend in a month of the calendar (UTC); null or 0: without a limit of its own. */
  budgetMonthlyCents: number | null
  createdAt: string
}

export interface AgentsService {
  /** By key or UUID. Null when there is none, or the caller may not use it; inactive ones are returned with their status. */
  resolve(caller: Caller, ref: string): Promise<AgentProfile | null>
  /** The same, whoever may use it: for what an admin has set up, such as links between agents. */
  find(caller: Caller, ref: string): Promise<AgentProfile | null>
  /** Who may use it besides admins; `"everyone"`: all of the tenant. Nobody where there is none. */
  users(caller: Caller, ref: string): Promise<readonly string[] | "everyone">
  /** The agent `default`, else the one marked as default, else the oldest active one. */
  fallback(caller: Caller): Promise<AgentProfile | null>
  /** Those that the caller may use, oldest first; at most 1,000. */
  list(caller: Caller): Promise<AgentProfile[]>
  /** A provider got another name: agents follow, in the caller's transaction. Returns how many. */
  renameProvider(caller: Caller, from: string, to: string): Promise<number>
}
export const Agents = service<AgentsService>("agents", "1.2.0")

/** Its owner, or an admin: who may change an agent, and see what it keeps of its users. */
export function mayChangeAgent(caller: Caller, agent: Pick<AgentProfile, "ownerId">): boolean {
  return seesAll(caller) || agent.ownerId === caller.userId
}
