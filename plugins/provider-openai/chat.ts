import type { Delta, Host, HttpResponse, LlmRequest, ProviderConnection } from "@plugboard/sdk"
import type { Failures } from "./failures.ts"
import type { manifest } from "./manifest.ts"
import { EventReader } from "./sse.ts"
import { readAnswer, requestBody, type WireAnswer } from "./wire.ts"

/** How long, and how much, is read behind the end mark, so that the connection serves the next call. */
const restMs = 1_000
const restBytes = 65_536

/** One answer, over the host's cheap way out: the official SDK costs ten times the CPU for the same bytes. A test holds both to equal deltas. */
export function createChat(host: Host<typeof manifest>, failures: Failures) {
  return async function* chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
    signal.throwIfAborted()
    const { name, apiKey } = connection
    const response = await ask(connection, request, signal)
    if (response.status !== 200) {
      const body = await response.text(65_536).catch(() => "")
      signal.throwIfAborted()
      throw failures.ofStatus(name, apiKey, response.status, response.headers, body)
    }
    if (request.stream && !response.headers["content-type"]?.includes("application/json")) yield* streamed(connection, response)
    else yield await whole(connection, response)
  }

  async function ask({ name, baseUrl, apiKey }: ProviderConnection, request: LlmRequest, signal: AbortSignal): Promise<HttpResponse> {
    try {
      return await host.http.request(`${baseUrl}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: request.stream ? "text/event-stream" : "application/json", ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
        body: requestBody(request, baseUrl),
        signal,
        headersTimeoutMs: host.config.firstByteMs,
        idleTimeoutMs: host.config.idleMs,
      })
    } catch (error) {
      throw failures.ofNetwork(name, error)
    }
  }

  async function whole({ name, apiKey }: ProviderConnection, response: HttpResponse): Promise<Delta[]> {
    let text: string
    try {
      text = await response.text(host.config.maxAnswerBytes)
    } catch (error) {
      throw failures.ofNetwork(name, error)
    }
    const answer = parse(text)
    if (answer?.error) throw failures.ofEvent(name, apiKey, answer.error)
    if (!answer?.choices?.length) throw failures.make("provider_broken_stream", name, "the answer is not a chat completion")
    const deltas: Delta[] = []
    readAnswer(answer, deltas)
    return deltas
  }

  async function* streamed({ name, apiKey }: ProviderConnection, response: HttpResponse): AsyncIterable<readonly Delta[]> {
    const reader = new EventReader(host.config.maxEventBytes)
    const chunks = response.body[Symbol.asyncIterator]()
    let finished = false
    let done = false

    function take(events: readonly string[], broken: unknown): { deltas: Delta[]; broken: unknown } {
      const deltas: Delta[] = []
      for (const data of events) {
        if (done) break
        if (data === "[DONE]") {
          done = true
          break
        }
        const answer = parse(data)
        if (answer && !answer.error) readAnswer(answer, deltas)
        else {
          broken = answer?.error ? failures.ofEvent(name, apiKey, answer.error) : failures.make("provider_broken_stream", name, "an event of the stream is not JSON")
          break
        }
      }
      finished ||= deltas.some((delta) => delta.type === "finish")
      return { deltas, broken: broken instanceof RangeError ? failures.make("provider_broken_stream", name, broken.message) : broken }
    }

    try {
      for (let over = false; !over && !done; ) {
        let next: IteratorResult<Uint8Array>
        try {
          next = await chunks.next()
        } catch (error) {
          throw failures.inMidAnswer(name, error)
        }
        over = next.done === true
        const read = next.done ? { events: reader.end(), broken: undefined } : reader.read(next.value)
        const { deltas, broken } = take(read.events, read.broken)
        // What came before the break is the client's.
        if (deltas.length > 0) yield deltas
        if (broken) throw broken
      }
      if (!finished && !done) throw failures.make("provider_broken_stream", name, "the stream ended without a finish")
      if (!finished) yield [{ type: "finish", reason: "stop" }]
    } finally {
      if (done) void readRest(chunks)
      else await chunks.return?.()
    }
  }
}

/** The end of the body comes right behind the end mark, and nobody waits for it; but a connection that is left before it cannot be used again. */
async function readRest(chunks: AsyncIterator<Uint8Array>): Promise<void> {
  const until = performance.now() + restMs
  try {
    for (let bytes = 0; bytes < restBytes && performance.now() < until; ) {
      const { done, value } = await chunks.next()
      if (done) return
      bytes += value.length
    }
    await chunks.return?.()
  } catch {
    // The answer is whole already.
  }
}

function parse(text: string): WireAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as WireAnswer) : undefined
  } catch {
    return undefined
  }
}
