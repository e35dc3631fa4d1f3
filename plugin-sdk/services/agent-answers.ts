import type { Caller } from "../caller.ts"
import type { Delta, LlmRequest } from "../points/provider.ts"
import { service } from "../tokens.ts"
import type { HeadedDeltas } from "./passthrough.ts"

/** Answers of agents, for routes that speak a format of their own. Each is a run in a session of its own. */
export interface AgentAnswersService {
  /**
   * One turn: the request's last user message starts it, earlier ones are its history, system texts its instructions. Its tools are not offered: an agent's run in the gateway.
   * `agent`: key or UUID; empty: the tenant's default. `channel` names the route in the session. Ending the signal ends the run.
   */
  answer(caller: Caller, agent: string, request: LlmRequest, channel: string, signal: AbortSignal): HeadedDeltas
  /** The same without the head. */
  deltas(caller: Caller, agent: string, request: LlmRequest, channel: string, signal: AbortSignal): AsyncIterable<readonly Delta[]>
}
export const AgentAnswers = service<AgentAnswersService>("agent-answers", "1.1.0")
