import { type Static, Type } from "typebox"
import type { Caller } from "../caller.ts"

const Count = Type.Integer()

/** What ended within one hour (UTC), of one user, agent, channel and model. */
export const UsageGroup = Type.Object({
  /** RFC 3339; its beginning. */
  hour: Type.String(),
  /** Empty for calls that no agent made. */
  agentKey: Type.String(),
  userId: Type.String(),
  channel: Type.String(),
  provider: Type.String(),
  model: Type.String(),
  requests: Count,
  /** Requests that failed, or were cut off by the end of their gateway. */
  errors: Count,
  /** All of them: those of caches are part of it. */
  inputTokens: Count,
  /** All of them: those of the thinking are part of it. */
  outputTokens: Count,
  cacheReadTokens: Count,
  cacheWriteTokens: Count,
  thinkingTokens: Count,
  llmCalls: Count,
  toolCalls: Count,
  /** Of those whose cost is known, in nano-USD. */
  costNanoUsd: Count,
  /** Requests whose cost nobody knows, as of a model without a price. */
  unpriced: Count,
  /** Of all requests together. */
  durationMs: Count,
})
export type UsageGroup = Static<typeof UsageGroup>

/** Who keeps the records of what was used. A record is in the hour in which it was stored with its end, so no past hour gets another one. */
export interface UsageSource {
  /** Ended in [from, to), RFC 3339; by hour and the rest, `most` at most, without the first `skip`. */
  usage(caller: Caller, from: string, to: string, most: number, skip: number): Promise<UsageGroup[]>
  /** When the first of those ended that ended at `from` or later. */
  usedSince(caller: Caller, from: string): Promise<string | null>
}
