import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** Runs that are under way. */
export interface RunsService {
  /** Keys of the agents with a run of this tenant on this node, each once. */
  running(caller: Caller): Promise<string[]>
}
export const Runs = service<RunsService>("runs", "1.0.0")
