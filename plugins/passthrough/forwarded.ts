import { AnswerBuilder, type Caller, estimateUsage, type ForwardPart, type Host, type PassedPart, Providers } from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import type { CallRecord } from "./call-record.ts"
import { messageBody } from "./chat-answer.ts"
import { clientStatus } from "./client-failures.ts"
import type { manifest } from "./manifest.ts"

interface Forwarding {
  path: "/chat/completions" | "/embeddings"
  caller: Caller
  record: CallRecord
  asked: Asked
  signal: AbortSignal
}

/** The provider's own bytes. They are read only where somebody taps `llm.response`, who may still change an answer that is not a stream. */
export function createForwarded(host: Host<typeof manifest>) {
  const providers = host.use(Providers)

  return async function* forwarded({ path, caller, record, asked, signal }: Forwarding): AsyncIterable<PassedPart> {
    const builder = path === "/chat/completions" && host.hooks.tapped("llm.response", caller) ? new AnswerBuilder() : undefined
    let isStream = false
    let status = 0
    for await (const part of providers.forward(caller, { provider: asked.provider, runId: record.id }, { path, body: asked.body, read: builder !== undefined }, signal)) {
      if (part instanceof Uint8Array) {
        if (isStream) record.events += eventsIn(part)
        yield builder && !isStream && status === 200 ? await responded(part, builder) : part
      } else if ("head" in part) {
        const { head } = part
        isStream = head.isStream
        status = head.status
        yield { head: { ...head, runId: record.id, status: status === 200 ? 200 : clientStatus(status) } }
      } else if ("attempt" in part) record.tried(part.attempt)
      else note(part)
    }
    if (builder && isStream) await respond(builder)
    // The client has the provider's own error object; the record is to know of it.
    if (status !== 200) record.refusedWith = status

    function note(part: Exclude<ForwardPart, Uint8Array | { head: unknown }>): void {
      if ("usage" in part) record.usage = part.usage
      else builder?.take(part.deltas)
    }

    async function respond(built: AnswerBuilder) {
      const message = built.message()
      const usage = record.usage ?? estimateUsage([], built.size)
      const answer = { runId: record.id, ...record.target, iteration: 1, message, usage, finish: built.finish }
      return { before: message, after: (await host.hooks.call("llm.response", answer, { caller, signal })).message }
    }

    async function responded(bytes: Uint8Array, built: AnswerBuilder): Promise<Uint8Array> {
      const { before, after } = await respond(built)
      if (after === before) return bytes
      const answer = JSON.parse(Buffer.from(bytes).toString()) as { choices: { message: object; logprobs?: unknown }[] }
      const [choice] = answer.choices
      // What the provider said of the tokens is no longer true of the text.
      if (choice) Object.assign(choice, { message: messageBody(after), logprobs: null })
      return Buffer.from(JSON.stringify(answer))
    }
  }
}

/** Nearly a token each; all that is known of a stream that breaks off before it tells its usage. */
function eventsIn(bytes: Uint8Array): number {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let at = block.indexOf('"delta"'); at >= 0; at = block.indexOf('"delta"', at + 7)) count += 1
  return count
}
