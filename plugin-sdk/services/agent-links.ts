import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"

/** An active link, as seen from the agent that hands work on. */
export interface AgentLink {
  id: string
  /** Who does the work; active. Given whether or not the caller may use it directly: an admin has linked the two. */
  target: AgentProfile
  /** What the target is for, in the admin's words; empty when nothing was said. */
  description: string
  /** Delegations of this link at once. */
  maxConcurrent: number
  /** As clients set it; nothing in it is interpreted here. */
  settings: Readonly<Record<string, unknown>>
}

/** Who may hand work to whom. Warm look-ups touch no database. */
export interface AgentLinksService {
  /** Agents that this one may delegate to, by their keys, each once. A link counts from its source, from its target when it is `inbound`, from both when it is `bidirectional`. */
  targets(caller: Caller, sourceId: string): Promise<AgentLink[]>
  /** Whether the one may delegate to the other, and on which terms. `target`: key or UUID. Null: it may not. */
  between(caller: Caller, sourceId: string, target: string): Promise<AgentLink | null>
  /** A team's lead may delegate to a member from now on, in the caller's transaction. Where the two are linked already, and for a member of the type `open`, nothing changes. */
  joinTeam(caller: Caller, teamId: string, leadId: string, memberId: string): Promise<void>
  /** Links that `joinTeam` has made go; of one member, or all of the team's when null. In the caller's transaction. */
  leaveTeam(caller: Caller, teamId: string, memberId: string | null): Promise<void>
}
export const AgentLinks = service<AgentLinksService>("agent-links", "1.1.0")
