import { AnswerBuilder, type Caller, type Delta, deltasOf, estimateUsage, type Host, type LlmRequest, type PassedPart, Providers, type Usage } from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import type { CallRecord } from "./call-record.ts"
import { ChunkWriter, completionBytes, type Shape } from "./chat-answer.ts"
import { requestIn } from "./chat-request.ts"
import type { manifest } from "./manifest.ts"

interface Answering {
  caller: Caller
  record: CallRecord
  provider: string
  request: LlmRequest
  signal: AbortSignal
}

/** Answers in pieces, past the hooks, for providers that speak another format and for routes that do. */
export function createAnswers(host: Host<typeof manifest>) {
  const providers = host.use(Providers)

  /** The deltas, counted; `finished` is told before the last of them are out, so that what a plugin throws reaches the client. */
  async function* answer({ caller, record, provider, request, signal }: Answering, finished?: (built: Built) => void): AsyncIterable<readonly Delta[]> {
    const builder = new AnswerBuilder()
    const parts = providers.answer(caller, { provider, runId: record.id }, request, signal)
    const deltas = host.hooks.pipe(
      "llm.stream",
      deltasOf(parts, ({ attempt }) => record.tried(attempt)),
      { caller, signal },
    )
    for await (const batch of deltas) {
      builder.take(batch)
      record.usage = builder.usage
      record.events = builder.size / 4
      yield batch
    }
    const usage = builder.usage ?? estimateUsage(request.messages, builder.size)
    record.usage = usage
    const said = { runId: record.id, ...record.target, iteration: 1, message: builder.message(), usage, finish: builder.finish }
    const { message } = await host.hooks.call("llm.response", said, { caller, signal })
    finished?.({ message, usage, finish: builder.finish })
  }

  /** The same as OpenAI's chat completions. */
  async function* translated(caller: Caller, record: CallRecord, asked: Asked, signal: AbortSignal): AsyncIterable<PassedPart> {
    const { provider, body } = asked
    const { n, stream_options: options } = body as { n?: number; stream_options?: { include_usage?: boolean } }
    if (n !== undefined && n !== null && n !== 1) throw host.fail("one_choice", { provider })
    const request = requestIn(host, asked, body, true)
    const shape: Shape = { id: `chatcmpl-${record.id}`, created: Math.floor(Date.now() / 1_000), model: asked.model }
    const head = { runId: record.id, status: 200, isStream: request.stream }
    let built: Built | undefined
    const deltas = answer({ caller, record, provider, request, signal }, (whole) => {
      built = whole
    })
    if (!request.stream) {
      for await (const _ of deltas);
      if (!built) throw new Error("an answer without an end")
      yield { head }
      yield completionBytes(shape, built.message, built.finish, built.usage)
      return
    }
    const writer = new ChunkWriter(shape, options?.include_usage === true)
    let begun = false
    for await (const batch of deltas) {
      // With the first piece and not before it: a call that fails until then still has a status.
      const text = writer.deltas(batch)
      if (text === "") continue
      if (!begun) yield { head }
      begun = true
      yield Buffer.from(text)
    }
    if (!begun) yield { head }
    const { finish = "stop", usage } = built ?? {}
    yield Buffer.from(writer.end(finish, options?.include_usage ? usage : undefined))
  }
  return { answer, translated }
}

interface Built {
  message: ReturnType<AnswerBuilder["message"]>
  usage: Usage
  finish: string
}
