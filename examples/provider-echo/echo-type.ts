import {
  type Delta,
  type FailOptions,
  failureOf,
  type Host,
  type HttpRequest,
  type HttpResponse,
  type LlmRequest,
  type ProviderConnection,
  type ProviderType,
} from "@plugboard/sdk"
import { linesOf } from "./lines.ts"
import type { manifest } from "./manifest.ts"

type Echo = Host<typeof manifest>
type Name = keyof (typeof manifest)["errors"]

const byStatus: Readonly<Record<number, Name>> = { 401: "provider_auth", 403: "provider_auth", 404: "provider_not_found", 429: "provider_rate_limited" }

/**
 * The protocol: `POST /say` with `{ model, text }` answers one JSON value a line, `{ "word": "hello" }` for each word and `{ "done": { "heard": 3, "said": 3 } }`, in tokens, at the end.
 * `GET /models` answers `{ "models": ["…"] }`. A failure is a status with `{ "error": "…" }`. The key goes in `x-echo-key`.
 */
export function echoType(host: Echo): ProviderType {
  const fail = (name: Name, { name: provider }: ProviderConnection, reason: string, options: FailOptions = {}) => host.fail(name, { provider, reason }, options)

  async function ask(connection: ProviderConnection, path: string, request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    const { silentMs } = host.config
    const headers = { "content-type": "application/json", ...(connection.apiKey && { "x-echo-key": connection.apiKey }) }
    const response = await host.http.request(connection.baseUrl + path, { ...request, headers, headersTimeoutMs: silentMs, idleTimeoutMs: silentMs }).catch((error: unknown) => {
      throw ofNetwork(connection, error, "provider_network")
    })
    if (response.status === 200) return response
    const text = await response.text(65_536).catch(() => "")
    const name = byStatus[response.status] ?? (response.status >= 500 ? "provider_overloaded" : "provider_bad_request")
    const seconds = Number(response.headers["retry-after"])
    throw fail(name, connection, withoutKey(errorIn(text) ?? `status ${response.status}`, connection.apiKey), seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {})
  }

  /** What `host.http` fails with, in the words of providers. Anything else, such as an abort, stays what it is. */
  function ofNetwork(connection: ProviderConnection, error: unknown, name: Name): unknown {
    const failure = failureOf(error)
    if (failure?.name === "kernel.egress_timeout") return fail("provider_timeout", connection, `silent for ${host.config.silentMs} ms`, { cause: error })
    if (failure?.name.startsWith("kernel.egress_")) return fail(name, connection, String(failure.params.reason), { cause: error })
    return error
  }

  async function* chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
    const response = await ask(connection, "/say", { method: "POST", body: JSON.stringify({ model: request.model, text: lastWords(request) }), signal })
    let said = false
    try {
      for await (const lines of linesOf(response.body)) {
        const deltas = lines.flatMap((line): Delta[] => {
          const { word, done } = parse(line)
          if (typeof word === "string") return [{ type: "text", text: word }]
          if (!done) throw fail("provider_broken_stream", connection, "a line is neither a word nor the end")
          said = true
          return [
            { type: "usage", usage: { promptTokens: done.heard, completionTokens: done.said, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 } },
            { type: "finish", reason: "stop" },
          ]
        })
        yield deltas
        if (said) return
      }
    } catch (error) {
      if (error instanceof RangeError) throw fail("provider_broken_stream", connection, error.message)
      throw ofNetwork(connection, error, "provider_broken_stream")
    }
    throw fail("provider_broken_stream", connection, "the answer ended before its end")
  }

  return {
    defaultBaseUrl: "http://127.0.0.1:7007",
    defaultModel: "parrot",
    keyless: true,
    environment: ["ECHO_API_KEY"],
    chat,
    async models(connection, signal) {
      const response = await ask(connection, "/models", { signal })
      const { models } = parse(await response.text(65_536))
      if (!Array.isArray(models)) throw fail("provider_not_found", connection, "there is no list of models at this address")
      return models.map((id) => ({ id: String(id) }))
    },
    async verify(connection, model, signal) {
      if (model === undefined) await ask(connection, "/models", { signal }).then((response) => response.text(65_536))
      else for await (const _ of chat(connection, { model, messages: [{ role: "user", content: "hello" }], stream: false }, signal));
    },
  }
}

function lastWords({ messages }: LlmRequest): string {
  const content = messages.at(-1)?.content ?? ""
  return typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join(" ")
}

/** Some servers repeat the key in their complaint about it. */
function withoutKey(text: string, apiKey: string): string {
  return apiKey === "" ? text : text.replaceAll(apiKey, "***")
}

function errorIn(text: string): string | undefined {
  const { error } = parse(text)
  return typeof error === "string" ? error.slice(0, 1_000) : undefined
}

interface Wire {
  word?: unknown
  done?: { heard: number; said: number }
  models?: unknown
  error?: unknown
}
function parse(text: string): Wire {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Wire) : {}
  } catch {
    return {}
  }
}
