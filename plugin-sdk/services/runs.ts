import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { RunAnswer } from "./sessions.ts"

/** What is asked of an agent by something that keeps no connection open: a schedule, a wake, another agent. */
export interface AskedRun {
  /** Key or UUID; empty: the tenant's default. */
  agent: string
  sessionKey: string
  /** Where it comes from, such as `cron`; in the session and in each event of the run. */
  channel: string
  chatId: string
  message: string
  /** The model sees none of the session's earlier messages. */
  fresh?: boolean
  /** A second request with the same key of the same user is the same run. */
  idempotencyKey?: string
}

/** Runs that are under way, and how to start one. */
export interface RunsService {
  /** Keys of the agents with a run of this tenant on this node, each once. */
  running(caller: Caller): Promise<string[]>
  /** Resolves when the message is stored; in a busy session the run waits for its turn. Rejects with a failure of `chat`, such as `chat.unknown_agent`. */
  start(caller: Caller, asked: AskedRun): Promise<{ runId: string }>
  /** How a run has ended, on whichever node; null when there is none that the caller may see. `signal` ends the wait and not the run. */
  ended(caller: Caller, runId: string, signal: AbortSignal): Promise<RunAnswer | null>
}
export const Runs = service<RunsService>("runs", "1.1.0")
