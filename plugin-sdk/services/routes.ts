import type { Usage } from "../points/provider.ts"

/** One provider of a chain. Without a model: its default. */
export interface RouteLink {
  provider: string
  model?: string
}

/** Where a call may be answered. */
export interface Route {
  provider: string
  /** Asked in this order when the first gives no answer. Left out: what the settings of the first say. */
  fallbacks?: readonly RouteLink[]
  /** True: the first and its fallbacks take turns at being first. */
  inTurn?: boolean
  /** For the hook `llm.failed`. */
  runId?: string
  /** True: fragments of tool calls are shown to nobody, so one that breaks off may be asked for again. */
  hidesToolCalls?: boolean
}

/** One request to a provider, or one that was not made because it would not have been answered. Holds no secrets. */
export interface Attempt {
  provider: string
  model: string
  /** Until it failed; of one that answers, until its first token. */
  ms: number
  /** Name of the failure without its plugin: those of `providerErrors`, `circuit_open`, `provider_busy`, `provider_resting`, `aborted`. Left out: it answers. */
  error?: string
  /** The failure in the caller's words. */
  reason?: string
  retryAfterMs?: number
  /** What it costs although it failed. */
  usage?: Usage
}

export interface AttemptReport {
  attempt: Attempt
  /** From 1. */
  number: number
  /** Attempts that a call makes at most. */
  most: number
  /** Another attempt follows. */
  again: boolean
}

/** An attempt in the record of a run. `ms` goes to its end there; `usage` is set on each that cost something. */
export interface RunAttempt extends Attempt {
  /** Of the run's model calls, from 1. */
  iteration: number
  /** Until its first token. */
  firstTokenMs?: number
  /** What it was made for besides an answer; `summary`: to keep the conversation within the window. */
  purpose?: "summary"
}
