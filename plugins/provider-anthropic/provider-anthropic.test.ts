import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { type Delta, failureOf, type LlmRequest, type ProviderConnection, type ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { signature, startAnthropic } from "../../test/upstream/anthropic.ts"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import type { Upstream } from "../../test/upstream/provider.ts"
import plugin from "./index.ts"

const apiKey = "sk-ant-canary-0123456789"
const given = { plugin, folder: import.meta.dirname }
const config = { plugins: { "provider-anthropic": impatient } }
const datetime = { name: "datetime", description: "The time of day.", parameters: { type: "object", properties: { tz: { type: "string" } } } }

// Also in a process of its own: what the SDK has for provider types must work there too.
providerConformance({ ...upstreamCases(startAnthropic), plugin: given, type: "anthropic_native", config, sandboxed: true })

describe("provider-anthropic", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  let connection: ProviderConnection
  before(async () => {
    upstream = await startAnthropic({ key: apiKey })
    connection = { name: "upstream", baseUrl: upstream.url, apiKey, settings: {} }
    ;({ gateway, type } = await startProviderType({ plugin: given, type: "anthropic_native", config }))
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  /** All deltas up to the end or the failure. */
  async function take(more: Partial<LlmRequest>, to = connection) {
    const deltas: Delta[] = []
    const request = { model: "words-2", messages: [{ role: "user" as const, content: "hello" }], stream: true, ...more }
    try {
      for await (const batch of type.chat(to, request, AbortSignal.timeout(10_000))) deltas.push(...batch)
      return { deltas }
    } catch (error) {
      return { deltas, failure: failureOf(error) }
    }
  }
  const sent = () => upstream.requests.at(-1)?.body

  it("sends what the Messages API takes, with the marks of the prompt cache, and the key in a header alone", async () => {
    const png = { type: "image" as const, url: "data:image/png;base64,AA==" }
    const far = { type: "image" as const, url: "https://example.com/a.png" }
    await take({
      model: "claude-sonnet-4-5",
      maxTokens: 100,
      temperature: 1.5,
      tools: [{ ...datetime, name: "other" }, datetime],
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "See" }, png, far, { type: "text", text: "" }] },
        { role: "assistant", content: "I look.", toolCalls: ["call.a", "call_b"].map((id) => ({ id, name: "datetime", arguments: { tz: id } })) },
        { role: "tool", content: "12:00", toolCallId: "call.a" },
        { role: "tool", content: "no such place", toolCallId: "call_b", isError: true },
      ],
    })
    const cache_control = { type: "ephemeral" }
    const tool = { name: "datetime", description: datetime.description, input_schema: datetime.parameters }
    deepEqual(sent(), {
      model: "claude-sonnet-4-5",
      max_tokens: 100,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
            { type: "image", source: { type: "url", url: far.url } },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "text", text: "I look." },
            { type: "tool_use", id: "call_a", name: "datetime", input: { tz: "call.a" } },
            { type: "tool_use", id: "call_b", name: "datetime", input: { tz: "call_b" } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call_a", content: [{ type: "text", text: "12:00" }] },
            { type: "tool_result", tool_use_id: "call_b", content: [{ type: "text", text: "no such place" }], is_error: true, cache_control },
          ],
        },
      ],
      system: [{ type: "text", text: "Be brief.", cache_control }],
      tools: [
        { ...tool, name: "other" },
        { ...tool, cache_control },
      ],
      temperature: 1,
      stream: true,
    })
    const asked = upstream.requests.at(-1)
    deepEqual([asked?.path, asked?.headers["x-api-key"], asked?.headers.authorization], ["/v1/messages", apiKey, undefined])
  })

  it("reads thinking with its signature, and usage with all that the cache spared", async () => {
    const { deltas } = await take({ model: "thinking" })
    deepEqual(deltas, [
      { type: "thinking", text: "Let me see." },
      { type: "state", state: { type: "anthropic_native", data: { block: { type: "thinking", thinking: "Let me see.", signature }, characters: 0, calls: 0 } } },
      { type: "text", text: "Yes." },
      { type: "usage", usage: { promptTokens: 100, completionTokens: 30, cachedTokens: 64, cacheWriteTokens: 0, reasoningTokens: 20 } },
      { type: "finish", reason: "stop" },
    ])
  })

  it("gives signed thinking back where it stood, and no one else's state", async () => {
    const kept = (block: object, characters: number, calls: number) => ({ type: "anthropic_native", data: { block, characters, calls } })
    const [first, hidden] = [
      { type: "thinking", thinking: "hm", signature: "s1" },
      { type: "redacted_thinking", data: "xx" },
    ]
    const toolCalls = ["a", "b"].map((id) => ({ id, name: "datetime", arguments: {} }))
    await take({
      messages: [
        { role: "user", content: "When?" },
        { role: "assistant", content: "One. Two.", state: [kept(first, 0, 0), { type: "gemini_native", data: {} }, kept(hidden, 4, 1)], toolCalls },
        { role: "tool", content: "12:00", toolCallId: "a" },
        { role: "tool", content: "13:00", toolCallId: "b" },
      ],
    })
    const call = (id: string) => ({ type: "tool_use", id, name: "datetime", input: {} })
    deepEqual(sent().messages[1].content, [first, { type: "text", text: "One." }, call("a"), hidden, { type: "text", text: " Two." }, call("b")])
  })

  it("asks for thinking in the words of the model's age", async () => {
    await take({ model: "claude-sonnet-4-5-20250929", effort: "low", maxTokens: 500, temperature: 0 })
    deepEqual([sent().thinking, sent().max_tokens, sent().temperature], [{ type: "enabled", budget_tokens: 2_048 }, 2_548, undefined])
    await take({ model: "claude-opus-4-20250514", effort: "none" })
    equal(sent().thinking, undefined)
    for (const model of ["claude-opus-4-6", "claude-sonnet-5", "claude-haiku-5-1-20260901"]) {
      await take({ model }, { ...connection, settings: { reasoning_defaults: { effort: "high" } } })
      deepEqual([sent().thinking, sent().output_config], [{ type: "adaptive", display: "summarized" }, { effort: "high" }], model)
    }
    await take({ model: "claude-opus-4-6", effort: "none" })
    deepEqual(sent().thinking, { type: "disabled" })
  })

  it("goes on without thinking in a turn that another provider began", async () => {
    const messages = [
      { role: "user" as const, content: "When?" },
      { role: "assistant" as const, content: "", thinking: "unsigned", toolCalls: [{ id: "a", name: "datetime", arguments: {} }] },
      { role: "tool" as const, content: "12:00", toolCallId: "a" },
    ]
    await take({ model: "claude-sonnet-4-5", effort: "high", messages })
    equal(sent().thinking, undefined)
    await take({ model: "claude-sonnet-4-5", effort: "high", messages: [...messages, { role: "assistant", content: "Noon." }, { role: "user", content: "Sure?" }] })
    equal(sent().thinking?.type, "enabled")
  })

  it("asks for an answer of a schema, and for plain JSON in words", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } } }
    await take({ responseFormat: { type: "json_schema", json_schema: { name: "x", schema } } })
    deepEqual(sent().output_config, { format: { type: "json_schema", schema } })
    await take({ responseFormat: { type: "json_object" } })
    equal(sent().system[0].text, "Answer with one JSON object and nothing else.")
  })

  it("takes addresses with and without /v1, names models, and tells the provider's reason", async () => {
    for (const baseUrl of [upstream.url, `${upstream.url}/v1`]) {
      const models = await type.models({ ...connection, baseUrl }, AbortSignal.timeout(5_000))
      deepEqual(models[0], { id: "claude-sonnet-4-5-20250929", name: "Name of claude-sonnet-4-5-20250929" })
      await type.verify({ ...connection, baseUrl }, "words-1", AbortSignal.timeout(5_000))
    }
    equal(sent().max_tokens, 50)
    await rejects(type.verify({ ...connection, apiKey: "sk-ant-wrong" }, undefined, AbortSignal.timeout(5_000)), (error) => {
      deepEqual([failureOf(error)?.name, failureOf(error)?.params.reason], ["provider-anthropic.provider_auth", "Incorrect API key provided."])
      return true
    })
  })

  it("knows failures in mid-stream by their type", async () => {
    equal((await take({ model: "error-event" })).failure?.name, "provider-anthropic.provider_overloaded")
    equal((await take({ model: "limit-event" })).failure?.name, "provider-anthropic.provider_rate_limited")
  })

  it("sends nothing of the gateway's environment to a provider", async () => {
    const own = {
      ANTHROPIC_API_KEY: "sk-of-the-operator",
      ANTHROPIC_AUTH_TOKEN: "token-of-the-operator",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:9/of-the-operator",
      ANTHROPIC_CUSTOM_HEADERS: "x-own: of-operator",
    }
    Object.assign(process.env, own)
    try {
      for (const key of [apiKey, ""]) await type.models({ ...connection, apiKey: key }, AbortSignal.timeout(5_000)).catch(() => undefined)
    } finally {
      for (const name of Object.keys(own)) Reflect.deleteProperty(process.env, name)
    }
    const headers = upstream.requests.slice(-2).map((request) => request.headers)
    ok(headers.every((one) => one["x-api-key"] !== undefined))
    equal(JSON.stringify(headers).includes("operator"), false)
  })
})
