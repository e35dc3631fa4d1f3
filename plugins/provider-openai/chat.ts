import type { Delta, Host, HttpResponse, LlmRequest, ProviderConnection } from "@plugboard/sdk"
import type { Failures } from "./failures.ts"
import type { manifest } from "./manifest.ts"
import { EventReader } from "./sse.ts"
import { readAnswer, requestBody, type WireAnswer } from "./wire.ts"

/** One answer, over the host's cheap way out: the SDK would cost five times the CPU of the rest of a turn. The conformance suite holds both to equal deltas. */
export function createChat(host: Host<typeof manifest>, failures: Failures) {
  return async function* chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
    const { name, apiKey } = connection
    const response = await ask(connection, request, signal)
    if (response.status !== 200) {
      const body = await response.text(65_536).catch(() => "")
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
        body: requestBody(request),
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
    let finished = false
    let done = false
    const take = (data: string, deltas: Delta[]) => {
      if (done) return
      if (data === "[DONE]") {
        done = true
        return
      }
      const answer = parse(data)
      if (!answer) throw failures.make("provider_broken_stream", name, "an event of the stream is not JSON")
      if (answer.error) throw failures.ofEvent(name, apiKey, answer.error)
      readAnswer(answer, deltas)
    }
    try {
      for await (const chunk of response.body) {
        const deltas: Delta[] = []
        let broken: unknown
        try {
          for (const data of reader.read(chunk)) take(data, deltas)
        } catch (error) {
          broken = error instanceof RangeError ? failures.make("provider_broken_stream", name, error.message) : error
        }
        finished ||= deltas.some((delta) => delta.type === "finish")
        // What came before the break is the client's.
        if (deltas.length > 0) yield deltas
        if (broken) throw broken
        if (done) break
      }
    } catch (error) {
      const failure = failures.ofNetwork(name, error)
      // The connection is gone in mid-answer: whatever the reason, what came is not the whole.
      throw failure === error ? error : failures.make("provider_broken_stream", name, "the connection ended in mid-answer", { cause: failure })
    }
    const rest = reader.end()
    const deltas: Delta[] = []
    if (rest !== undefined) take(rest, deltas)
    finished ||= deltas.some((delta) => delta.type === "finish")
    if (deltas.length > 0) yield deltas
    if (!finished && !done) throw failures.make("provider_broken_stream", name, "the stream ended without a finish")
    if (!finished) yield [{ type: "finish", reason: "stop" }]
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
