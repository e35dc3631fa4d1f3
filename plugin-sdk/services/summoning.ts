import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"

/** A step of a summoning, as dashboards follow it. Source: wire contract, websocket 5.3. */
export interface SummoningStep {
  type: "started" | "file_generated" | "completed" | "failed"
  file?: string
  error?: string
}

/** What a summoning makes of an agent. The caller is not judged: it works for somebody who was. */
export interface AgentStatesService {
  /** In the caller's transaction, if there is one. False when the agent is gone. */
  settle(caller: Caller, agentId: string, change: { status: "active" | "summoning" | "summon_failed"; displayName?: string; frontmatter?: string }): Promise<boolean>
  /** To admins and the agent's owner. */
  tell(caller: Caller, agent: Pick<AgentProfile, "id" | "ownerId">, step: SummoningStep): Promise<void>
}
export const AgentStates = service<AgentStatesService>("agent-states", "1.0.0")

/** Lets a model write who a new agent is. */
export interface SummoningService {
  /** How a new agent begins, in the transaction that makes it. `summoning`: call `start` when it is committed. */
  prepare(caller: Caller, agent: AgentProfile): Promise<"active" | "summoning">
  /** Answers at once; the rest is told by events. */
  start(caller: Caller, agentId: string): Promise<void>
}
export const Summoning = service<SummoningService>("summoning", "1.0.0")
