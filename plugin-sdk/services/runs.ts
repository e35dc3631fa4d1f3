import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"
import type { RunAnswer } from "./sessions.ts"

/** Why a run exists that another agent, or a team, has caused. All but the last stand in each of its events. */
export interface RunOrigin {
  /** `announce`: the agent that has handed work on is told what became of it. */
  runKind: "delegation" | "announce"
  delegationId?: string
  /** The team whose task it works on, or of whose end it is told. */
  teamId?: string
  teamTaskId?: string
  /** Key of the agent that has handed the work on; of a team its lead. */
  parentAgentId: string
  /** Its run at that time; left out where a user has given the work. */
  parentRunId?: string
}

/** What is asked of an agent by something that keeps no connection open: a schedule, a wake, another agent. */
export interface AskedRun {
  /** Key or UUID; empty: the tenant's default. A profile, as a service gave it, for an agent that the user need not be allowed to use by himself. */
  agent: string | AgentProfile
  /** UUID of the run, where it must be known beforehand. */
  runId?: string
  origin?: RunOrigin
  sessionKey: string
  /** Where it comes from, such as `cron`; in the session and in each event of the run. */
  channel: string
  chatId: string
  message: string
  /** The model sees none of the session's earlier messages. */
  fresh?: boolean
  /** Added to the agent's prompt. */
  instructions?: readonly string[]
  /** The agent's own prompt and the instructions are all that the model is told of itself: no plugin adds to them. */
  light?: boolean
  /** Instead of the agent's own; a provider without a model: its default. */
  provider?: string
  model?: string
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
  /** Ends a run that the caller may see as cancelled, on whichever node, and does not wait for its end. */
  abort(caller: Caller, runId: string): Promise<void>
}
export const Runs = service<RunsService>("runs", "1.4.0")
