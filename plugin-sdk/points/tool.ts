import type { TSchema } from "typebox"
import type { Caller } from "../caller.ts"
import { extensionPoint } from "../tokens.ts"

/** `safe`: reads nothing private and changes nothing. `read`: reads the tenant's data. `write`: changes it. `exec`: runs something, or reaches outside. */
export type Risk = "safe" | "read" | "write" | "exec"

export interface ToolContext {
  readonly caller: Caller
  readonly runId: string
  readonly agentKey: string
  readonly sessionKey: string
  /** Where the session's turn came from, as in the run's events. */
  readonly channel: string
  readonly chatId: string
}

export interface ToolResult {
  /** What the model reads. */
  content: string
  isError?: boolean
}

/** A tool on offer, without its implementation. */
export interface ToolOffer {
  name: string
  description: string
  parameters: TSchema
  risk: Risk
}

/** A tool that agents can call. Arguments are checked against `parameters` before `call`. Contribute under its name. */
export interface Tool extends ToolOffer {
  /** Longest call in ms, for a tool that waits for something long; the gateway's own limit when left out. */
  timeoutMs?: number
  call(args: Readonly<Record<string, unknown>>, context: ToolContext, signal: AbortSignal): Promise<ToolResult>
}

export const Tools = extensionPoint<Tool>("tools", "1.0.0")
