import type { HttpResponse } from "../host.ts"
import type { Delta, LlmRequest, ProviderConnection } from "../points/provider.ts"
import { EventReader } from "./event-reader.ts"
import { type Complaint, type ProviderFailures, type ProviderHost, parseObject } from "./failures.ts"
import { timeLimits } from "./limits.ts"

/** How one wire format asks and answers. The rest is the same for all: the call, its time limits, events, and what becomes of a break. */
export interface ProviderProtocol {
  /** Where, with which headers, and the body as JSON text. */
  ask(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): Asking | Promise<Asking>
  /** For one answer. */
  reader(request: LlmRequest): AnswerReader
  /** Data of an event that is no JSON and means the end. */
  endMark?: string
}
export interface Asking {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
}
export interface AnswerReader {
  /** Adds what one event of a stream says. `end`: nothing comes after it. */
  event(value: object, out: Delta[]): "end" | Complaint | undefined
  /** Adds what an answer in one piece says, its `finish` included; without one it is taken for no answer. */
  whole(value: object, out: Delta[]): Complaint | undefined
}

/** How long, and how much, is read behind the end, so that the connection serves the next call. */
const restMs = 1_000
const restBytes = 65_536

/** `chat` of a provider type over the host's cheap way out: official SDKs cost several times the CPU for the same bytes. */
export function answersOver(host: ProviderHost, protocol: ProviderProtocol, failures: ProviderFailures) {
  return async function* chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
    signal.throwIfAborted()
    const response = await ask(connection, request, signal)
    if (response.status !== 200) {
      const body = await response.text(65_536).catch(() => "")
      signal.throwIfAborted()
      throw failures.ofStatus(connection, response.status, response.headers, body)
    }
    const reader = protocol.reader(request)
    if (isStream(response, request)) yield* streamed(connection, response, reader)
    else yield await whole(connection, response, reader)
  }

  async function ask(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { url, headers, body } = await protocol.ask(connection, request, signal)
    try {
      return await host.http.request(url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: request.stream ? "text/event-stream" : "application/json", ...headers },
        body,
        signal,
        ...timeLimits(host.config, connection),
      })
    } catch (error) {
      throw failures.ofNetwork(connection, error)
    }
  }

  async function whole(connection: ProviderConnection, response: HttpResponse, reader: AnswerReader): Promise<Delta[]> {
    let text: string
    try {
      text = await response.text(host.config.maxAnswerBytes)
    } catch (error) {
      throw failures.ofNetwork(connection, error)
    }
    const answer = parseObject(text)
    const deltas: Delta[] = []
    const complaint = answer && reader.whole(answer, deltas)
    if (complaint) throw failures.ofComplaint(connection, complaint)
    if (!finishIn(deltas)) throw failures.make("provider_broken_stream", connection.name, "the answer is not that of a model")
    return deltas
  }

  async function* streamed(connection: ProviderConnection, response: HttpResponse, reader: AnswerReader): AsyncIterable<readonly Delta[]> {
    const { name } = connection
    const events = new EventReader(host.config.maxEventBytes)
    const chunks = response.body[Symbol.asyncIterator]()
    let finished = false
    let done = false

    function take(texts: readonly string[], broken: unknown): { deltas: Delta[]; broken: unknown } {
      const deltas: Delta[] = []
      for (const data of texts) {
        const value = data === protocol.endMark ? undefined : parseObject(data)
        if (value === undefined && data !== protocol.endMark) {
          broken = failures.make("provider_broken_stream", name, "an event of the stream is not JSON")
          break
        }
        const outcome = value === undefined ? "end" : reader.event(value, deltas)
        done = outcome === "end"
        if (outcome !== undefined && outcome !== "end") broken = failures.ofComplaint(connection, outcome)
        if (outcome !== undefined) break
      }
      finished ||= finishIn(deltas)
      return { deltas, broken: broken instanceof RangeError ? failures.make("provider_broken_stream", name, broken.message) : broken }
    }

    try {
      for (let over = false; !over && !done; ) {
        let next: IteratorResult<Uint8Array>
        try {
          next = await chunks.next()
        } catch (error) {
          throw failures.inMidAnswer(connection, error)
        }
        over = next.done === true
        const read = next.done ? { events: events.end(), broken: undefined } : events.read(next.value)
        const { deltas, broken } = take(read.events, read.broken)
        // What came before the break is the client's.
        if (deltas.length > 0) yield deltas
        if (broken && !done) throw broken
      }
      if (!finished && !done) throw failures.make("provider_broken_stream", name, "the stream ended without a finish")
      if (!finished) yield [{ type: "finish", reason: "stop" }]
    } finally {
      if (done) void readRest(chunks)
      else await chunks.return?.()
    }
  }
}

/** What it is, not what was asked for, where it says so. */
function isStream({ headers }: HttpResponse, request: LlmRequest): boolean {
  const type = headers["content-type"] ?? ""
  return type.includes("text/event-stream") || (request.stream && !type.includes("application/json"))
}

function finishIn(deltas: readonly Delta[]): boolean {
  return deltas.some((delta) => delta.type === "finish")
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
