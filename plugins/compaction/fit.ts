import { bytesOf, type Caller, type CompactionService, type Conversation, type Fitted, type Host, type PlacedMessage, type RunAttempt, Sessions } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { cutAt, keptFrom, shortened } from "./cut.ts"
import { createLimits, type Limits } from "./limits.ts"
import type { manifest } from "./manifest.ts"
import { storedBetween } from "./stored.ts"
import { createSummarizer } from "./summarizer.ts"
import { asSaid, inWords } from "./transcript.ts"

/** Until a provider has counted: a little more than prose takes, in any language, and about what code takes. */
export const usualTokensPerByte = 0.3
/** Of the limit: what is kept beside a summary, and what is kept without one. */
const besideSummary = 0.4
const withoutSummary = 0.8

export function createFit(host: Host<typeof manifest>): CompactionService {
  const limitsOf = createLimits(host)
  const { summarize, summarizerOf } = createSummarizer(host)
  const sessions = host.use(Sessions)
  /** Sessions that were not summarized lately, though they should have been: nobody waits for that at each of their turns. */
  const resting = new LRUCache<string, true>({ max: 5_000, ttl: Math.max(host.config.restMs, 1) })
  const keyOf = (caller: Caller, { sessionKey }: Conversation) => `${caller.tenantId}\n${sessionKey}`

  async function shorter(
    caller: Caller,
    conversation: Conversation,
    limits: Limits,
    refused: boolean,
    attempts: RunAttempt[],
    signal: AbortSignal,
  ): Promise<Omit<Fitted, "attempts"> | null> {
    const { messages, summarizedTo, truncated, sessionKey, tokensPerByte = usualTokensPerByte } = conversation
    const { limitBytes, over } = reckon(conversation, limits, refused)
    const keep = over ? limits.keepMessages : Math.max(limits.keepMessages, messages.length >> 1)
    const cut = cutAt(messages, limitBytes * besideSummary, keep)
    const first = messages[0]?.ordinal ?? null
    const stored = truncated ? await storedBetween(host, caller, sessionKey, summarizedTo, first) : []
    // What was kept of an earlier time is in the summary already.
    const old = messages.slice(0, cut).filter(({ ordinal }) => ordinal > summarizedTo)
    const to = old.at(-1)?.ordinal ?? stored.at(-1)?.ordinal
    if (to === undefined) return null
    const task = {
      runId: conversation.runId,
      iteration: conversation.iteration,
      agent: conversation.agent,
      ...(await summarizerOf(caller, limits, conversation)),
      summary: conversation.summary,
      texts: [...stored.map(asSaid), ...old.map(({ message }) => message)].map(inWords).filter((text) => text !== ""),
      portionBytes: portionOf(limits, conversation, refused),
      summaryTokens: limits.summaryTokens,
    }
    const summary = await summarize(caller, task, attempts, AbortSignal.any([signal, AbortSignal.timeout(host.config.timeoutMs)]))
    const kept = shortened(keptFrom(messages, cut), limitBytes - Buffer.byteLength(summary))
    const tokens = Math.round((sum(kept) + Buffer.byteLength(summary)) * tokensPerByte)
    // Another run of the session may have been faster; this one goes on with its own all the same.
    await sessions.summarize(caller, { sessionKey, summary, from: summarizedTo, to, tokens })
    return { summary, summarizedTo: to, messages: kept }
  }

  return {
    async outgrown(caller, conversation) {
      const limits = await limitsOf(caller, conversation.agent)
      if (conversation.messages.length < limits.minMessages) return false
      return reckon(conversation, limits, false).over || (conversation.truncated && !resting.has(keyOf(caller, conversation)))
    },
    async fit(caller, conversation, refused, signal) {
      const limits = await limitsOf(caller, conversation.agent)
      const attempts: RunAttempt[] = []
      const key = keyOf(caller, conversation)
      if (!resting.has(key)) {
        try {
          const fitted = await shorter(caller, conversation, limits, refused, attempts, signal)
          if (fitted) return { ...fitted, attempts }
        } catch (err) {
          signal.throwIfAborted()
          if (host.config.restMs > 0) resting.set(key, true)
          host.log.warn({ err, run: conversation.runId }, "conversation not summarized: its oldest turns are left out")
        }
      }
      const { messages, summary, summarizedTo } = conversation
      const { limitBytes } = reckon(conversation, limits, refused)
      const kept = keptFrom(messages, cutAt(messages, limitBytes * withoutSummary, Number.POSITIVE_INFINITY))
      return { summary, summarizedTo, messages: shortened(kept, limitBytes), attempts }
    },
  }
}

/** `limitBytes`: for the messages alone. */
function reckon(conversation: Conversation, { limitTokens }: Limits, refused: boolean): { limitBytes: number; over: boolean } {
  const { messages, summary, besideBytes, tokensPerByte = usualTokensPerByte } = conversation
  const fixed = besideBytes + Buffer.byteLength(summary)
  const tokens = (fixed + sum(messages)) * tokensPerByte
  const limit = refused ? Math.min(limitTokens, tokens / 2) : limitTokens
  return { limitBytes: Math.max(0, limit / tokensPerByte - fixed), over: refused || tokens > limit }
}

/** Half a window for what is to be summarized; of a window that is smaller than anybody said, as little as the conversation shows. */
function portionOf({ window }: Limits, { messages, tokensPerByte = usualTokensPerByte }: Conversation, refused: boolean): number {
  const bytes = window / tokensPerByte / 2
  return refused ? Math.min(bytes, sum(messages) / 2) : bytes
}

function sum(messages: readonly PlacedMessage[]): number {
  return messages.reduce((bytes, { message }) => bytes + bytesOf(message), 0)
}
