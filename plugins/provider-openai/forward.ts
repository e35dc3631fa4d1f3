import {
  type Delta,
  EventReader,
  type ForwardCall,
  type ForwardHead,
  type ForwardPart,
  type HttpResponse,
  type OpenAiDialect,
  type ProviderConnection,
  type ProviderFailures,
  type ProviderHost,
  parseObject,
  timeLimits,
} from "@plugboard/sdk"
import { addressOf } from "./protocol.ts"
import { usageIn, usageOf } from "./usage-events.ts"
import { WholeEvents } from "./whole-events.ts"
import { limitField, readAnswer, type WireAnswer } from "./wire.ts"

/** A call and its answer as bytes. Of the answer only the usage is read, unless more is asked for. */
export function forwarding(host: ProviderHost, failures: ProviderFailures) {
  return async function* forward(dialect: OpenAiDialect, connection: ProviderConnection, call: ForwardCall, signal: AbortSignal): AsyncIterable<ForwardPart> {
    signal.throwIfAborted()
    const { mostTokens } = call
    const body = mostTokens === undefined ? call.body : { ...call.body, [limitField(connection.baseUrl)]: mostTokens }
    const asked = askingForUsage({ ...call, body }, dialect)
    const response = await ask(`${addressOf(connection.baseUrl, dialect)}${call.path}`, connection, asked.body, signal)
    if (response.status !== 200) {
      const text = await response.text(65_536).catch(() => "")
      signal.throwIfAborted()
      const { head, body } = refusal(connection, response, text)
      yield { head }
      yield body
      return
    }
    const isStream = response.headers["content-type"]?.includes("text/event-stream") === true
    yield { head: { status: 200, isStream } }
    yield* isStream ? events(connection, response, call.read, asked.unasked) : whole(connection, response, call.read)
  }

  async function ask(url: string, connection: ProviderConnection, body: object, signal: AbortSignal): Promise<HttpResponse> {
    const { apiKey } = connection
    try {
      return await host.http.request(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(apiKey !== "" && { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify(body),
        signal,
        ...timeLimits(host.config, connection),
      })
    } catch (error) {
      throw failures.ofNetwork(connection, error)
    }
  }

  /** The provider's own error object, with the key masked; one of ours where it has none. */
  function refusal(connection: ProviderConnection, { status, headers }: HttpResponse, text: string): { head: ForwardHead; body: Uint8Array } {
    const { failure } = failures.ofStatus(connection, status, headers, text)
    const { error } = (parseObject(text) ?? {}) as { error?: { type?: unknown; param?: unknown; code?: unknown } | string }
    const { type = "upstream_error", param = null, code = null } = typeof error === "object" && error !== null ? error : {}
    return {
      head: { status, isStream: false, retryAfterMs: failure.retryAfterMs },
      body: Buffer.from(JSON.stringify({ error: { message: failure.params.reason, type, param, code } })),
    }
  }

  async function* whole(connection: ProviderConnection, response: HttpResponse, read: boolean): AsyncIterable<ForwardPart> {
    const bytes = await collected(connection, response)
    const answer = parseObject(bytes.toString()) as WireAnswer | undefined
    if (!answer || answer.error) throw failures.make("provider_broken_stream", connection.name, "the answer is not that of a model")
    const usage = usageOf(answer)
    if (read) yield* choicesOf(connection, [answer])
    if (usage) yield { usage: usage.usage }
    yield withoutKey(bytes, connection.apiKey)
  }

  async function collected(connection: ProviderConnection, response: HttpResponse): Promise<Buffer> {
    const { maxAnswerBytes } = host.config
    const parts: Uint8Array[] = []
    let size = 0
    try {
      for await (const part of response.body) {
        size += part.length
        if (size > maxAnswerBytes) throw failures.make("provider_broken_stream", connection.name, `its answer is larger than ${maxAnswerBytes} bytes`)
        parts.push(part)
      }
    } catch (error) {
      throw failures.ofNetwork(connection, error)
    }
    return Buffer.concat(parts)
  }

  async function* events(connection: ProviderConnection, response: HttpResponse, read: boolean, dropUsage: boolean): AsyncIterable<ForwardPart> {
    const whole = new WholeEvents(host.config.maxEventBytes)
    const reader = read ? new EventReader(host.config.maxEventBytes) : undefined
    const chunks = response.body[Symbol.asyncIterator]()
    try {
      for (let over = false; !over; ) {
        let block: Buffer | undefined
        try {
          const next = await chunks.next()
          over = next.done === true
          block = next.done ? whole.end() : whole.take(next.value)
        } catch (error) {
          throw error instanceof RangeError ? failures.make("provider_broken_stream", connection.name, error.message) : failures.inMidAnswer(connection, error)
        }
        if (!block) continue
        if (reader) yield* choicesOf(connection, reader.read(block).events.map(parseObject))
        const { usage, rest } = usageIn(block, dropUsage)
        if (usage) yield { usage: usage.usage }
        if (rest.length > 0) yield withoutKey(rest, connection.apiKey)
      }
    } finally {
      await chunks.return?.()
    }
  }

  function choicesOf(connection: ProviderConnection, answers: readonly (object | undefined)[]): ForwardPart[] {
    const places = answers.flatMap((answer) => ((answer as WireAnswer | undefined)?.choices ?? []).map(({ index }, at) => index ?? at))
    const others = [...new Set(places)].filter((place) => place > 0)
    const more = others.map((choice) => ({ choice, deltas: deltasOf(connection, answers, choice) }))
    return [{ deltas: deltasOf(connection, answers, 0) }, ...more.filter(({ deltas }) => deltas.length > 0)]
  }

  function deltasOf(connection: ProviderConnection, answers: readonly (object | undefined)[], choice: number): Delta[] {
    const deltas: Delta[] = []
    for (const answer of answers) {
      const complaint = answer && readAnswer(answer as WireAnswer, deltas, choice)
      if (complaint) throw failures.ofComplaint(connection, complaint)
    }
    return deltas
  }
}

/** A stream tells its usage only when it is asked to, and usage is always counted. `unasked`: the client did not ask, and does not get it. */
function askingForUsage({ body, path }: ForwardCall, { tellsUsageUnasked }: OpenAiDialect): { body: object; unasked: boolean } {
  const { stream, stream_options: options } = body as { stream?: boolean; stream_options?: { include_usage?: boolean } | null }
  if (path !== "/chat/completions" || stream !== true || tellsUsageUnasked || options?.include_usage) return { body, unasked: false }
  return { body: { ...body, stream_options: { ...options, include_usage: true } }, unasked: true }
}

/** Some repeat the key in what they complain of, also in mid-stream. */
function withoutKey(bytes: Buffer, apiKey: string): Uint8Array {
  return apiKey.length >= 8 && bytes.includes(apiKey) ? Buffer.from(bytes.toString().replaceAll(apiKey, "***")) : bytes
}
