import {
  AnswerBuilder,
  type AnswerHead,
  AnswerKeeper,
  type BudgetHold,
  type Caller,
  type Delta,
  deltasOf,
  estimateUsage,
  type Host,
  keptDeltas,
  type LlmRequest,
  type LlmVerdict,
  type PassedPart,
  Providers,
  savedUsage,
  type Usage,
} from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import { createBudgeted } from "./budgeted.ts"
import type { CallRecord } from "./call-record.ts"
import { ChunkWriter, completionBytes, type Shape } from "./chat-answer.ts"
import { requestIn } from "./chat-request.ts"
import type { manifest } from "./manifest.ts"

interface Answering {
  caller: Caller
  record: CallRecord
  provider: string
  request: LlmRequest
  /** Of `llm.calling`, where it has been asked. */
  verdict?: LlmVerdict
  signal: AbortSignal
}

/** Answers in pieces, past the hooks, for providers that speak another format and for routes that do. */
export function createAnswers(host: Host<typeof manifest>) {
  const providers = host.use(Providers)
  const budgeted = createBudgeted(host)

  /** Head and deltas, counted; what is known of budgets comes with a second head. `finished` is told before the last of them are out, so that what a plugin throws reaches the client. */
  async function* answer(
    { caller, record, provider, request, signal, ...asked }: Answering,
    finished?: (built: Built) => void,
  ): AsyncIterable<{ head: AnswerHead } | readonly Delta[]> {
    const context = { caller, signal }
    const calling = { runId: record.id, agentKey: "", provider, iteration: 1, request, cache: request.cache }
    const verdict = asked.verdict ?? (await host.hooks.call("llm.calling", calling, context))
    const kept = verdict && "answer" in verdict ? verdict.answer : undefined
    const keeper = verdict && "keep" in verdict ? new AnswerKeeper(verdict.keep) : undefined
    yield { head: { runId: record.id, ...(verdict && { cache: kept ? "hit" : "miss" }) } }
    const builder = new AnswerBuilder()
    if (kept) record.repeat(kept)
    const { model, maxTokens, messages, tools } = request
    // A stream can be cut off where a budget ends, also for a client that wants the answer whole.
    const ask = (held: BudgetHold | undefined) =>
      providers.answer(caller, { provider, runId: record.id }, held?.bound === undefined ? request : { ...request, stream: true }, signal)
    const source = kept
      ? keptDeltas(kept)
      : deltasOf(budgeted(caller, record, { provider, model, maxTokens, prompt: { messages, tools } }, ask), ({ attempt }) => record.tried(attempt))
    let isWarned = false
    for await (const batch of host.hooks.pipe("llm.stream", source, context)) {
      if (!isWarned && record.hold?.near) yield { head: { runId: record.id, budget: record.hold.near } }
      isWarned = true
      builder.take(batch)
      keeper?.take(batch)
      if (!kept) {
        record.usage = builder.usage
        record.events = builder.size / 4
      }
      yield batch
    }
    const usage = builder.usage ?? estimateUsage(request.messages, builder.size)
    if (!kept) record.usage = usage
    const said = { runId: record.id, ...record.target, iteration: 1, message: builder.message(), usage: kept ? savedUsage(kept.usage) : usage, finish: builder.finish }
    const { message } = await host.hooks.call("llm.response", said, context)
    if (keeper?.pieces && message === said.message) {
      const whole = { ...record.target, usage, pieces: keeper.pieces }
      await host.hooks.call("llm.called", { runId: record.id, agentKey: "", as: keeper.wish.as, answer: whole }, context)
    }
    finished?.({ message, usage, finish: builder.finish })
  }

  /** The same as OpenAI's chat completions. */
  async function* translated(caller: Caller, record: CallRecord, asked: Asked, signal: AbortSignal, verdict?: LlmVerdict): AsyncIterable<PassedPart> {
    const { provider, body, cache } = asked
    const { n, stream_options: options } = body as { n?: number; stream_options?: { include_usage?: boolean } }
    if (n !== undefined && n !== null && n !== 1) throw host.fail("one_choice", { provider })
    const request = { ...requestIn(host, asked, body, true), ...(cache && { cache }) }
    const shape: Shape = { id: `chatcmpl-${record.id}`, created: Math.floor(Date.now() / 1_000), model: asked.model }
    const head = { runId: record.id, status: 200, isStream: request.stream }
    let built: Built | undefined
    const answering = { caller, record, provider, request, signal, ...(verdict && { verdict }) }
    const parts = answer(answering, (whole) => {
      built = whole
    })
    const writer = new ChunkWriter(shape, options?.include_usage === true)
    let begun = false
    for await (const part of parts) {
      if ("head" in part) {
        Object.assign(head, part.head)
        continue
      }
      // With the first piece and not before it: a call that fails until then still has a status.
      const text = request.stream ? writer.deltas(part) : ""
      if (text === "") continue
      if (!begun) yield { head }
      begun = true
      yield Buffer.from(text)
    }
    if (!begun) yield { head }
    if (!built) throw new Error("an answer without an end")
    const { message, finish, usage } = built
    if (request.stream) yield Buffer.from(writer.finish(finish) + writer.end(options?.include_usage ? usage : undefined))
    else yield completionBytes(shape, message, finish, usage)
  }
  return { answer, translated }
}

interface Built {
  message: ReturnType<AnswerBuilder["message"]>
  usage: Usage
  finish: string
}
