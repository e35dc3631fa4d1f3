import { isDeepStrictEqual } from "node:util"
import {
  AnswerBuilder,
  AnswerKeeper,
  type Caller,
  type Delta,
  estimateUsage,
  type ForwardHead,
  type Host,
  type LlmVerdict,
  type PassedPart,
  Providers,
  savedUsage,
} from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import { bodyLimits, createBudgeted, mostTokens } from "./budgeted.ts"
import type { CallRecord } from "./call-record.ts"
import { messageBody } from "./chat-answer.ts"
import { clientStatus } from "./client-failures.ts"
import type { manifest } from "./manifest.ts"
import { deltasIn, endsStream, keptParts, type Piece, piecesOf } from "./pieces.ts"
import { createTappedStream } from "./tapped-stream.ts"

interface Forwarding {
  path: "/chat/completions" | "/embeddings"
  caller: Caller
  record: CallRecord
  asked: Asked
  verdict?: LlmVerdict
  signal: AbortSignal
}
interface WireAnswer {
  choices: { index?: number; message: object; logprobs?: unknown }[]
}

/** The provider's own bytes. They are read only where a plugin taps what is said, who may still change it, or wants to keep it. */
export function createForwarded(host: Host<typeof manifest>) {
  const providers = host.use(Providers)
  const budgeted = createBudgeted(host)
  const tapped = createTappedStream(host)

  return async function* forwarded({ path, caller, record, asked, verdict, signal }: Forwarding): AsyncIterable<PassedPart> {
    const { body, provider } = asked
    const isChat = path === "/chat/completions"
    const taps = { stream: isChat && host.hooks.tapped("llm.stream", caller), response: isChat && host.hooks.tapped("llm.response", caller) }
    const kept = verdict && "answer" in verdict ? verdict.answer : undefined
    const keeper = verdict && "keep" in verdict ? new AnswerKeeper(verdict.keep) : undefined
    const read = taps.stream || taps.response || keeper !== undefined
    if (kept) record.repeat(kept)
    const parts = kept
      ? keptParts(kept, body.stream === true)
      : budgeted(caller, record, bodyLimits(asked), (held) =>
          providers.forward(caller, { provider, runId: record.id }, { path, body, read, mostTokens: mostTokens(asked, held?.bound) }, signal),
        )
    const rest = parts[Symbol.asyncIterator]()
    try {
      const head = await untilHead(rest, record)
      const { isStream } = head
      const status = head.status === 200 ? 200 : clientStatus(head.status)
      yield { head: { ...head, runId: record.id, status, ...(verdict && { cache: kept ? "hit" : "miss" }), ...(record.hold?.near && { budget: record.hold.near }) } }
      const pieces = piecesOf({ [Symbol.asyncIterator]: () => rest }, (part) => {
        if ("usage" in part && !kept) record.usage = part.usage
      })
      const choices = Math.max(1, Number((body as { n?: unknown }).n) || 1)
      const tellsUsage = (body as { stream_options?: { include_usage?: boolean } | null }).stream_options?.include_usage === true
      const through = { caller, signal, choices, tellsUsage }
      if (head.status !== 200 || !read) {
        for await (const { bytes } of pieces) {
          if (!bytes) continue
          if (isStream && !kept) record.events += eventsIn(bytes)
          yield bytes
        }
        // The client has the provider's own error object; the record is to know of it.
        if (head.status !== 200) record.refusedWith = head.status
        return
      }
      const builder = new AnswerBuilder()
      if (!isStream) {
        for await (const piece of pieces) if (piece.bytes) yield await responded(piece, piece.bytes)
        return
      }
      const last: Piece[] = []
      for await (const piece of taps.stream ? tapped.stream(pieces, through) : pieces) {
        builder.take(deltasIn(piece, 0))
        keep(piece, piece.bytes)
        if (piece.bytes && !kept) record.events += eventsIn(piece.bytes)
        // With the end a client asks again, and finds what was kept.
        if (last.length > 0 || (keeper && endsStream(piece))) last.push(piece)
        else if (piece.bytes) yield piece.bytes
      }
      await respond(builder)
      for (const { bytes } of last) if (bytes) yield bytes

      function keep({ said }: Piece, bytes: Uint8Array | undefined): void {
        keeper?.take(deltasIn({ said }, 0), bytes)
        for (const { choice, deltas } of said) if (choice > 0) keeper?.take(deltas, undefined, choice)
      }

      /** `llm.response`, and the word to whoever keeps the answer: the last of it. */
      async function respond(built: AnswerBuilder) {
        const message = built.message()
        const usage = kept ? savedUsage(kept.usage) : (record.usage ?? estimateUsage([], built.size))
        const answer = { runId: record.id, ...record.target, iteration: 1, message, usage, finish: built.finish }
        const after = taps.response ? (await host.hooks.call("llm.response", answer, { caller, signal })).message : message
        if (keeper?.pieces && after === message) {
          const whole = { ...record.target, usage, pieces: keeper.pieces }
          await host.hooks.call("llm.called", { runId: record.id, agentKey: "", as: keeper.wish.as, answer: whole }, { caller, signal })
        }
        return { before: message, after }
      }

      /** An answer that is no stream: the provider's own, unless a plugin has changed one of its choices. */
      async function responded(piece: Piece, bytes: Uint8Array): Promise<Uint8Array> {
        const changed = new Map<number, object>()
        const said: { choice: number; deltas: readonly Delta[] }[] = []
        for (const one of piece.said) {
          const deltas = taps.stream ? await tapped.deltas(one.deltas, through) : one.deltas
          said.push({ choice: one.choice, deltas })
          if (!isDeepStrictEqual(deltas, one.deltas)) changed.set(one.choice, messageBody(built(deltas).message()))
        }
        builder.take(deltasIn({ said }, 0))
        const own = changed.size === 0 ? bytes : withMessages(bytes, changed)
        keep({ said }, own)
        const { before, after } = await respond(builder)
        return after === before ? own : withMessages(own, new Map([[0, messageBody(after)]]))
      }
    } finally {
      await rest.return?.()
    }
  }
}

async function untilHead<T extends object>(rest: AsyncIterator<T>, record: CallRecord): Promise<ForwardHead> {
  for (;;) {
    const { done, value } = await rest.next()
    if (done) throw new Error("an answer without a head")
    if ("head" in value) return value.head as ForwardHead
    if ("attempt" in value) record.tried(value.attempt as Parameters<CallRecord["tried"]>[0])
  }
}

function built(deltas: readonly Delta[]): AnswerBuilder {
  const builder = new AnswerBuilder()
  builder.take(deltas)
  return builder
}

function withMessages(bytes: Uint8Array, messages: ReadonlyMap<number, object>): Uint8Array {
  const answer = JSON.parse(Buffer.from(bytes).toString()) as WireAnswer
  for (const [at, choice] of answer.choices.entries()) {
    const message = messages.get(choice.index ?? at)
    // What the provider said of the tokens is no longer true of the text.
    if (message) Object.assign(choice, { message, logprobs: null })
  }
  return Buffer.from(JSON.stringify(answer))
}

/** Nearly a token each; all that is known of a stream that breaks off before it tells its usage. */
function eventsIn(bytes: Uint8Array): number {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let at = block.indexOf('"delta"'); at >= 0; at = block.indexOf('"delta"', at + 7)) count += 1
  return count
}
