import type { Caller } from "../caller.ts"
import type { CacheWish } from "../kept-answer.ts"
import type { Delta, LlmRequest } from "../points/provider.ts"
import { service } from "../tokens.ts"
import type { UsageSource } from "./usage.ts"

/** A provider of the tenant and one of its models, as `PROVIDER/MODEL` names them. */
export interface ModelTarget {
  provider: string
  model: string
}

/** What is known of an answer before it begins. */
export interface AnswerHead {
  /** Of the run, or of a call without one: in its record, and in the hooks. */
  runId: string
  /** `hit`: it was given before, and costs nothing now. `miss`: there was none to give again. Left out where none is looked for. */
  cache?: "hit" | "miss"
  /** Budgets of the caller that are near their end. */
  budget?: string
}
/** Deltas with their head before them; see `headedDeltas`. */
export type HeadedDeltas = AsyncIterable<{ head: AnswerHead } | readonly Delta[]>

/** `head` comes first. Bytes are the body: of a stream whole events, else all of it in one piece. With anything but 200 it is an error object of OpenAI's API. */
export type PassedPart = { head: PassedHead } | Uint8Array
export interface PassedHead extends AnswerHead {
  status: number
  isStream: boolean
  retryAfterMs?: number
}

/**
 * Calls of a tenant's providers without an agent and without a session, for those who bring their own conversation. Each is recorded with its usage, on every way out, and passes
 * the hooks `llm.request`, `llm.stream`, `llm.response` and `run.finished`. A client sees what the provider says, with a status of its class.
 */
export interface PassthroughService extends UsageSource {
  /** Null for a text that names no provider of the tenant, which then means an agent. Rejects when the provider is disabled. */
  find(caller: Caller, model: string): Promise<ModelTarget | null>
  /** OpenAI's chat completions, on any provider. Where the provider speaks them too, all members of request and answer pass as they are. */
  chat(caller: Caller, target: ModelTarget & { cache?: CacheWish }, body: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncIterable<PassedPart>
  /** OpenAI's embeddings, on any provider that makes some. */
  embeddings(caller: Caller, target: ModelTarget, body: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncIterable<PassedPart>
  /** One answer in pieces, for routes that speak another format. `channel` names the route in the record. The request's own model does not count. */
  answer(caller: Caller, target: ModelTarget, request: LlmRequest, channel: string, signal: AbortSignal): HeadedDeltas
  /** The same without the head. */
  deltas(caller: Caller, target: ModelTarget, request: LlmRequest, channel: string, signal: AbortSignal): AsyncIterable<readonly Delta[]>
}
export const Passthrough = service<PassthroughService>("passthrough", "1.2.0")
