import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { type Delta, type Effort, failureOf, type LlmRequest, type ProviderConnection, type ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { completion, usageOf } from "../../test/upstream/bytes.ts"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startUpstream, type Upstream } from "../../test/upstream/openai.ts"
import plugin from "./index.ts"

const apiKey = "sk-canary-0123456789abcdef"
const given = { plugin, folder: import.meta.dirname }
const ask = (model: string): Pick<LlmRequest, "model" | "messages"> => ({ model, messages: [{ role: "user", content: "hello" }] })
const datetime = { name: "datetime", description: "The time of day.", parameters: { type: "object", properties: { tz: { type: "string" } } } }

providerConformance({ ...upstreamCases(startUpstream), plugin: given, type: "openai_compat", config: { plugins: { "provider-openai": impatient } } })

describe("provider-openai", () => {
  let gateway: TestGateway
  let type: ProviderType
  let connection: ProviderConnection
  let provider: Upstream
  before(async () => {
    provider = await startUpstream()
    connection = { name: "upstream", baseUrl: provider.url, apiKey, settings: {} }
    ;({ gateway, type } = await startProviderType({
      plugin: given,
      type: "openai_compat",
      config: { plugins: { "provider-openai": { ...impatient, maxAnswerBytes: 2_000_000 } } },
    }))
  })
  after(async () => {
    await gateway.close()
    await provider.close()
  })
  beforeEach(() => {
    provider.requests.length = 0
  })

  /** All deltas up to the end or the failure. */
  async function take(request: LlmRequest, signal = AbortSignal.timeout(20_000)) {
    const deltas: Delta[] = []
    try {
      for await (const batch of type.chat(connection, request, signal)) deltas.push(...batch)
      return { deltas }
    } catch (error) {
      return { deltas, failure: failureOf(error), error }
    }
  }
  const stream = (model: string) => take({ ...ask(model), stream: true })
  const text = (deltas: readonly Delta[]) => deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("")
  const nameOf = ({ failure, error }: Awaited<ReturnType<typeof take>>) => failure?.name.replace("provider-openai.", "") ?? (error === undefined ? undefined : String(error))

  it("sends what OpenAI's API takes, the key in a header and nowhere else", async () => {
    const image = { type: "image" as const, url: "data:image/png;base64,AA==" }
    await take({
      model: "words-1",
      stream: true,
      maxTokens: 100,
      temperature: 0,
      tools: [datetime],
      responseFormat: { type: "json_object" },
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "See" }, image] },
        { role: "assistant", content: "", thinking: "hm", toolCalls: [{ id: "call_1", name: "datetime", arguments: { tz: "UTC" } }] },
        { role: "tool", content: "12:00", toolCallId: "call_1" },
      ],
    })
    const [{ path, headers, body }] = provider.requests as [Upstream["requests"][number]]
    deepEqual([path, headers.authorization, headers.accept], ["/v1/chat/completions", `Bearer ${apiKey}`, "text/event-stream"])
    deepEqual(body, {
      model: "words-1",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image_url", image_url: { url: image.url } },
          ],
        },
        { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "datetime", arguments: '{"tz":"UTC"}' } }] },
        { role: "tool", tool_call_id: "call_1", content: "12:00" },
      ],
      tools: [{ type: "function", function: datetime }],
      max_tokens: 100,
      temperature: 0,
      response_format: { type: "json_object" },
      stream: true,
      stream_options: { include_usage: true },
    })
  })

  it("asks for an effort, and for none of a model that might not think by saying nothing", async () => {
    const asked = async (effort?: Effort, settings = {}) => {
      for await (const _ of type.chat({ ...connection, settings }, { ...ask("words-1"), stream: true, effort }, AbortSignal.timeout(5_000)));
      return provider.requests.at(-1)?.body.reasoning_effort
    }
    deepEqual([await asked("low"), await asked("none"), await asked()], ["low", undefined, undefined])
    deepEqual([await asked(undefined, { reasoning_defaults: { effort: "high" } }), await asked(undefined, { reasoning_defaults: { effort: "so-so" } })], ["high", undefined])
  })

  it("passes a refusal on as text", async () => {
    provider.script((_, reply) => reply.json(200, completion("m", { content: null, refusal: "I cannot." }, "stop", usageOf(1, 1))))
    equal(text((await take({ ...ask("any"), stream: false })).deltas), "I cannot.")
    provider.script(undefined)
  })

  it("reads thinking, and usage with cached and reasoning tokens", async () => {
    const { deltas } = await stream("thinking")
    deepEqual(deltas, [
      { type: "thinking", text: "Let me see." },
      { type: "text", text: "Yes." },
      { type: "finish", reason: "stop" },
      { type: "usage", usage: { promptTokens: 100, completionTokens: 30, cachedTokens: 64, cacheWriteTokens: 0, reasoningTokens: 20 } },
    ])
  })

  it("reads carriage returns, comments, events of several lines, and fields that it does not know", async () => {
    equal(text((await stream("crlf")).deltas), "word0 word1 word2")
    equal(text((await stream("many-lines")).deltas), "one event")
    equal(text((await stream("unknown-fields")).deltas), "hellohello")
  })

  it("takes a finish without [DONE] and [DONE] without a finish for an end, and nothing else", async () => {
    for (const model of ["no-done", "only-done"]) deepEqual((await stream(model)).deltas.at(-1), { type: "finish", reason: "stop" }, model)
    equal(nameOf(await stream("no-finish-3")), "provider_broken_stream")
  })

  for (const [model, name, said] of [
    ["malformed", "provider_broken_stream", "word0 word1"],
    ["cut-after-3", "provider_broken_stream", "word0 word1 word2"],
    ["hang-after-2", "provider_timeout", "word0 word1"],
    ["error-event", "provider_overloaded", "word0 word1"],
    ["limit-event", "provider_rate_limited", "word0 word1"],
    ["big-event", "provider_broken_stream", ""],
    ["html", "provider_overloaded", ""],
    ["not-json", "provider_broken_stream", ""],
  ] as const) {
    it(`passes on what came before it fails: ${model} is ${name}`, async () => {
      const outcome = await stream(model)
      deepEqual([nameOf(outcome), text(outcome.deltas)], [name, said])
    })
  }

  it("tells when to try again: seconds, milliseconds or a date", async () => {
    equal((await stream("limited-3")).failure?.retryAfterMs, 3_000)
    equal((await stream("limited-ms-20")).failure?.retryAfterMs, 20)
    const until = (await stream("limited-date-60")).failure?.retryAfterMs ?? 0
    ok(until > 50_000 && until <= 60_000, String(until))
  })

  it("masks a key that the provider repeats, and tells its words as text", async () => {
    const { failure } = await stream("tells-key")
    deepEqual(failure?.params, { provider: "upstream", reason: "Incorrect API key provided: ***." })
    equal((await stream("html")).failure?.params.reason, "502 Bad gateway")
  })

  it("closes the upstream socket at an abort, and when the reader leaves", async () => {
    for (const model of ["hang", "paced-100-50"]) {
      const abort = new AbortController()
      setTimeout(() => abort.abort(), 200)
      await take({ ...ask(model), stream: true }, abort.signal)
      equal(await provider.requests.at(-1)?.closed, true, "the provider saw its client leave")
    }
    for await (const _ of type.chat(connection, { ...ask("paced-100-50"), stream: true }, AbortSignal.timeout(20_000))) break
    equal(await provider.requests.at(-1)?.closed, true)
  })

  it("uses a connection again after a stream, also when the end of the body comes late", async () => {
    provider.script(async (_, reply) => {
      reply.start(['data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n', "data: [DONE]\n\n"])
      setTimeout(() => reply.end(), 30)
    })
    for (let call = 0; call < 4; call += 1) {
      await stream("any")
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    provider.script(undefined)
    equal(new Set(provider.requests.map(({ socket }) => socket)).size, 1)
  })

  it("reads a large answer, and refuses one that is too large", async () => {
    equal(text((await take({ ...ask("large"), stream: false })).deltas).length, 1_048_576)
    equal(text((await stream("large")).deltas).length, 1_048_576)
    provider.script((_, reply) => reply.json(200, " ".repeat(2_000_001)))
    equal(nameOf(await take({ ...ask("any"), stream: false })), "provider_network")
    provider.script(undefined)
  })

  it("embeds texts in the order given", async () => {
    deepEqual(await type.embed?.(connection, "m", ["a", "bcd"], AbortSignal.timeout(5_000)), [Float32Array.from([1, 0, 1]), Float32Array.from([3, 1, 1])])
  })

  it("verifies with the default model where there is no list, and says the provider's reason", async () => {
    const elsewhere = { ...connection, baseUrl: provider.url.replace("/v1", "/nowhere") }
    await rejects(type.models(elsewhere, AbortSignal.timeout(5_000)), (error) => failureOf(error)?.name === "provider-openai.provider_not_found")
    await rejects(type.verify(elsewhere, undefined, AbortSignal.timeout(5_000)), (error) => /Unknown request URL/.test(String(failureOf(error)?.params.reason)))
    await rejects(type.verify(connection, "tells-key", AbortSignal.timeout(5_000)), (error) => failureOf(error)?.params.reason === "Incorrect API key provided: ***.")
  })

  it("sends nothing of the gateway's environment to a provider", async () => {
    const own = {
      OPENAI_API_KEY: "sk-of-the-operator",
      OPENAI_ORG_ID: "org-of-operator",
      OPENAI_PROJECT_ID: "proj-of-operator",
      OPENAI_CUSTOM_HEADERS: "x-own: of-operator\nauthorization: of-operator",
    }
    Object.assign(process.env, own)
    try {
      await type.models(connection, AbortSignal.timeout(5_000))
    } finally {
      for (const name of Object.keys(own)) Reflect.deleteProperty(process.env, name)
    }
    equal(JSON.stringify(provider.requests.map(({ headers }) => headers)).includes("operator"), false)
    equal(provider.requests[0]?.headers.authorization, `Bearer ${apiKey}`)
  })
})
