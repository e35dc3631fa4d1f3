import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

export interface TeamFacts {
  id: string
  name: string
  leadAgentId: string
}

/** Teams of agents, as others need to know them. */
export interface TeamsService {
  /** All of the tenant, whoever may see them. A warm look-up touches no database. */
  all(caller: Caller): Promise<readonly TeamFacts[]>
  /** The task that a run works on; null for a run that no task has caused. */
  taskOf(caller: Caller, runId: string): Promise<{ teamId: string; taskId: string } | null>
}
export const Teams = service<TeamsService>("teams", "1.0.0")
