import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** Agents that look by the clock what is to be done. */
export interface HeartbeatsService {
  /** The agent's next beat comes now. False: it has no heartbeat, or one that is off. `agent`: key or UUID; empty: the tenant's default. */
  wake(caller: Caller, agent: string): Promise<boolean>
}
export const Heartbeats = service<HeartbeatsService>("heartbeats", "1.0.0")
