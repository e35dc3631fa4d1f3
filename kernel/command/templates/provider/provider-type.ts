import { type Delta, failureOf, type Host, type HttpRequest, type HttpResponse, type LlmRequest, type ProviderConnection, type ProviderType } from "@plugboard/sdk"
import { linesOf } from "./lines.ts"
import type { manifest } from "./manifest.ts"

type Name = keyof (typeof manifest)["errors"]

/**
 * Here the provider answers `POST /chat` with one JSON value a line: `{ "text": "…" }`, and `{ "usage": { "input": 3, "output": 5 } }` at the end; and `GET /models` with `{ "models": ["…"] }`.
 * Put your provider's own format in its place: the suite in the test says what must hold.
 */
export function providerType(host: Host<typeof manifest>): ProviderType {
  const fail = (name: Name, { name: provider, apiKey }: ProviderConnection, reason: string, cause?: unknown) =>
    // Some providers repeat the key in their complaint about it.
    host.fail(name, { provider, reason: apiKey === "" ? reason : reason.replaceAll(apiKey, "***") }, { cause })

  async function ask(connection: ProviderConnection, path: string, request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    const { silentMs } = host.config
    const headers = { "content-type": "application/json", authorization: `Bearer ${connection.apiKey}` }
    const response = await host.http.request(connection.baseUrl + path, { ...request, headers, headersTimeoutMs: silentMs, idleTimeoutMs: silentMs }).catch((error: unknown) => {
      throw ofNetwork(connection, error, "provider_network")
    })
    if (response.status === 200) return response
    throw fail(nameOf(response.status), connection, (await response.text(65_536).catch(() => "")).slice(0, 1_000) || `status ${response.status}`)
  }

  /** What `host.http` fails with, in the words of providers. Anything else, such as an abort, stays what it is. */
  function ofNetwork(connection: ProviderConnection, error: unknown, name: Name): unknown {
    const failure = failureOf(error)
    if (failure?.name === "kernel.egress_timeout") return fail("provider_timeout", connection, `silent for ${host.config.silentMs} ms`, error)
    if (failure?.name.startsWith("kernel.egress_")) return fail(name, connection, String(failure.params.reason), error)
    return error
  }

  async function* chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
    const { model, messages, maxTokens, temperature } = request
    const response = await ask(connection, "/chat", { method: "POST", body: JSON.stringify({ model, messages, maxTokens, temperature }), signal })
    try {
      for await (const lines of linesOf(response.body)) {
        const deltas = lines.flatMap((line) => deltasOf(line, () => fail("provider_broken_stream", connection, "a line of the answer cannot be read")))
        yield deltas
        if (deltas.at(-1)?.type === "finish") return
      }
    } catch (error) {
      throw ofNetwork(connection, error, "provider_broken_stream")
    }
    throw fail("provider_broken_stream", connection, "the answer ended before its end")
  }

  return {
    defaultBaseUrl: "https://api.example.com/v1",
    defaultModel: "small",
    keyless: false,
    environment: [],
    chat,
    async models(connection, signal) {
      const response = await ask(connection, "/models", { signal })
      const { models = [] } = JSON.parse(await response.text()) as { models?: string[] }
      return models.map((id) => ({ id }))
    },
    async verify(connection, model, signal) {
      if (model === undefined) await (await ask(connection, "/models", { signal })).text()
      else for await (const _ of chat(connection, { model, messages: [{ role: "user", content: "Say ok." }], maxTokens: 5, stream: false }, signal));
    },
  }
}

function nameOf(status: number): Name {
  if (status === 401 || status === 403) return "provider_auth"
  if (status === 429) return "provider_rate_limited"
  return status >= 500 ? "provider_overloaded" : "provider_bad_request"
}

function deltasOf(line: string, broken: () => Error): Delta[] {
  let value: { text?: unknown; usage?: { input: number; output: number } } | null
  try {
    value = JSON.parse(line)
  } catch {
    throw broken()
  }
  if (typeof value?.text === "string") return [{ type: "text", text: value.text }]
  if (!value?.usage) throw broken()
  const { input, output } = value.usage
  return [
    { type: "usage", usage: { promptTokens: input, completionTokens: output, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 } },
    { type: "finish", reason: "stop" },
  ]
}
