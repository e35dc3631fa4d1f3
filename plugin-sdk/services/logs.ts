import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

export const logLevels = ["debug", "info", "warn", "error"] as const
export type LogLevel = (typeof logLevels)[number]

/** A line of the gateway's log. Values of secrets are masked, as they are there. */
export interface LogLine {
  /** Ms since 1970. */
  at: number
  level: LogLevel
  message: string
  /** The plugin that wrote it; `gateway` for the gateway itself. */
  source: string
  /** Id of the tenant that it is about; undefined: the whole gateway. */
  tenant?: string
  /** Key of the agent that it is about. */
  agent?: string
  /** What else it says, such as `run` or `err`. */
  fields: Readonly<Record<string, unknown>>
}
export interface LogFilter {
  level: LogLevel
  /** Only lines about this agent of the caller's tenant. */
  agent?: string
  /** How many of the last lines come first. */
  last: number
}
/** Lines in their order. `missed`: so many were left out before them, since they came faster than they were read. */
export interface LogBatch {
  lines: LogLine[]
  missed: number
}
/**
 * The log of this node. Owners, and admins of the master tenant, see all of it. Any other admin sees the lines about its own tenant, everybody else none.
 * Keeping up with it costs nothing while nobody reads.
 */
export interface LogsService {
  /** What is left of the last 1,000 lines, the oldest first. */
  recent(caller: Caller, filter: LogFilter): Promise<LogLine[]>
  /** As they are written, until the signal ends; a batch at the beginning, be it empty. */
  tail(caller: Caller, filter: LogFilter, signal: AbortSignal): AsyncIterable<LogBatch>
}
export const Logs = service<LogsService>("kernel.logs", "1.0.0")
