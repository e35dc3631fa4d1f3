import { deepEqual, equal, match, rejects } from "node:assert/strict"
import { type Delta, failureOf, type LlmRequest, type ProviderConnection, type ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startGemini, thoughtSignature } from "../../test/upstream/gemini.ts"
import type { Upstream } from "../../test/upstream/provider.ts"
import { startServer } from "../../test/upstream/server.ts"
import plugin from "./index.ts"

const apiKey = "AIza-canary-0123456789"
const given = { plugin, folder: import.meta.dirname }
const config = { plugins: { "provider-gemini": impatient } }
const datetime = { name: "datetime", description: "The time of day.", parameters: { type: "object", properties: { tz: { type: "string" } } } }

providerConformance({ ...upstreamCases(startGemini), plugin: given, type: "gemini_native", config })

describe("provider-gemini", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  let connection: ProviderConnection
  before(async () => {
    upstream = await startGemini({ key: apiKey })
    connection = { name: "upstream", baseUrl: upstream.url, apiKey, settings: {} }
    ;({ gateway, type } = await startProviderType({ plugin: given, type: "gemini_native", config }))
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
  const text = (deltas: readonly Delta[]) => deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("")

  it("sends what generateContent takes, the key in a header alone", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } } }
    await take({
      maxTokens: 100,
      temperature: 0,
      tools: [datetime],
      responseFormat: { type: "json_schema", json_schema: { name: "x", schema } },
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image", url: "data:image/png;base64,AA==" },
          ],
        },
        { role: "assistant", content: "I look.", toolCalls: ["a", "b"].map((id) => ({ id, name: id === "a" ? "datetime" : "other", arguments: { tz: id } })) },
        { role: "tool", content: "12:00", toolCallId: "a" },
        { role: "tool", content: "no such place", toolCallId: "b", isError: true },
      ],
    })
    deepEqual(sent(), {
      contents: [
        { role: "user", parts: [{ text: "See" }, { inlineData: { mimeType: "image/png", data: "AA==" } }] },
        { role: "model", parts: [{ text: "I look." }, { functionCall: { name: "datetime", args: { tz: "a" } } }, { functionCall: { name: "other", args: { tz: "b" } } }] },
        {
          role: "user",
          parts: [{ functionResponse: { name: "datetime", response: { result: "12:00" } } }, { functionResponse: { name: "other", response: { error: "no such place" } } }],
        },
      ],
      systemInstruction: { parts: [{ text: "Be brief." }] },
      tools: [{ functionDeclarations: [{ name: "datetime", description: datetime.description, parametersJsonSchema: datetime.parameters }] }],
      generationConfig: { maxOutputTokens: 100, temperature: 0, responseMimeType: "application/json", responseJsonSchema: schema },
    })
    const { path, headers } = upstream.requests.at(-1) ?? { path: "", headers: undefined }
    deepEqual([path, headers?.["x-goog-api-key"], headers?.authorization], ["/v1beta/models/words-2:streamGenerateContent?alt=sse", apiKey, undefined])
  })

  it("takes the native address, that of the OpenAI-compatible API, and one without a version", async () => {
    for (const path of ["/v1beta/openai", "/v1beta", ""]) {
      const to = { ...connection, baseUrl: upstream.url.replace("/v1beta/openai", path) }
      equal(text((await take({}, to)).deltas), "word0 word1")
      deepEqual(
        (await type.models(to, AbortSignal.timeout(5_000))).map(({ id, name }) => [id, name]),
        [
          ["gemini-2.0-flash", "Gemini 2.0 Flash"],
          ["words-50", "Words"],
        ],
      )
    }
  })

  it("reads thoughts, and usage with theirs and what the cache spared", async () => {
    const { deltas } = await take({ model: "thinking" })
    deepEqual(deltas, [
      { type: "thinking", text: "Let me see." },
      { type: "text", text: "Yes." },
      { type: "usage", usage: { promptTokens: 100, completionTokens: 30, cachedTokens: 64, cacheWriteTokens: 0, reasoningTokens: 20 } },
      { type: "finish", reason: "stop" },
    ])
  })

  it("keeps the signature of a call, and gives it back with the call", async () => {
    const { deltas } = await take({ model: "tool-split", tools: [datetime] })
    const state = deltas.flatMap((delta) => (delta.type === "state" ? [delta.state] : []))
    deepEqual(state, [{ type: "gemini_native", data: { signature: thoughtSignature, call: 0 } }])
    const toolCalls = ["a", "b"].map((id) => ({ id, name: "datetime", arguments: {} }))
    const messages = [
      { role: "user" as const, content: "When?" },
      { role: "assistant" as const, content: "I look.", state: [...state, { type: "gemini_native", data: { signature: "of text", characters: 7 } }], toolCalls },
    ]
    await take({ messages })
    const call = { functionCall: { name: "datetime", args: {} } }
    deepEqual(sent().contents[1].parts, [{ text: "I look.", thoughtSignature: "of text" }, { ...call, thoughtSignature }, call])
  })

  it("says of a call that another provider made that it is unsigned, where the model wants to know", async () => {
    const messages = [
      { role: "user" as const, content: "When?" },
      { role: "assistant" as const, content: "", toolCalls: [{ id: "a", name: "datetime", arguments: {} }] },
    ]
    await take({ model: "gemini-3-pro-preview", messages })
    equal(sent().contents[1].parts[0].thoughtSignature, "skip_thought_signature_validator")
    await take({ model: "gemini-2.5-flash", messages })
    equal(sent().contents[1].parts[0].thoughtSignature, undefined)
  })

  it("asks for thinking in the words of the model's age", async () => {
    for (const [model, effort, expected] of [
      ["gemini-2.0-flash", "high", undefined],
      ["gemini-2.5-flash", "low", { includeThoughts: true, thinkingBudget: 2_048 }],
      ["gemini-2.5-flash", "none", { includeThoughts: false, thinkingBudget: 0 }],
      ["gemini-2.5-pro", "none", { includeThoughts: false, thinkingBudget: 128 }],
      ["gemini-3-flash-preview", "minimal", { includeThoughts: true, thinkingLevel: "MINIMAL" }],
      ["gemini-3.1-pro-preview", "none", { includeThoughts: false, thinkingLevel: "LOW" }],
    ] as const) {
      await take({ model, effort })
      deepEqual(sent().generationConfig?.thinkingConfig, expected, `${model} ${effort}`)
    }
  })

  it("fetches images that are given by address, since the API does not", async () => {
    const pictures = await startServer((_, reply) => reply.send(200, "image/png", Buffer.from([1, 2, 3])))
    await take({ messages: [{ role: "user", content: [{ type: "image", url: `${pictures.origin}/a.png` }] }] })
    deepEqual(sent().contents[0].parts, [{ inlineData: { mimeType: "image/png", data: "AQID" } }])
    await pictures.close()
  })

  it("tells a filtered answer from a filtered prompt", async () => {
    const half = await take({ model: "unsafe" })
    deepEqual([text(half.deltas), half.deltas.at(-1)], ["Half of ", { type: "finish", reason: "content_filter" }])
    const refused = await take({ model: "filtered" })
    deepEqual(refused.failure?.params, { provider: "upstream", reason: "the prompt is blocked: PROHIBITED_CONTENT" })
  })

  it("reads a wait that stands in the body, and a wrong key that is called a bad request", async () => {
    equal((await take({ model: "limited-body-34" })).failure?.retryAfterMs, 34_000)
    upstream.script((_, reply) =>
      reply.json(400, JSON.stringify([{ error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" } }])),
    )
    equal((await take({})).failure?.name, "provider-gemini.provider_auth")
    upstream.script(undefined)
  })

  it("asks nobody for a model whose name leads elsewhere", async () => {
    const before = upstream.requests.length
    for (const model of ["../../v1/files", "models/..", "", "a//b"]) equal((await take({ model })).failure?.name, "provider-gemini.provider_not_found", model)
    equal(upstream.requests.length, before)
    await take({ model: "words-2?x=1#y" })
    match(upstream.requests.at(-1)?.path ?? "", /^\/v1beta\/models\/words-2%3Fx%3D1%23y:stream/)
  })

  it("embeds texts in the order given, in as many calls as it takes", async () => {
    const texts = Array.from({ length: 130 }, (_, at) => "x".repeat(at + 1))
    const before = upstream.requests.length
    const vectors = await type.embed?.(connection, "text-embedding-004", texts, AbortSignal.timeout(5_000))
    deepEqual(
      vectors?.map(([length]) => length),
      texts.map(({ length }) => length),
    )
    equal(upstream.requests.length - before, 2)
  })

  it("tells the provider's own reason when the SDK asked", async () => {
    await rejects(type.verify({ ...connection, apiKey: "AIza-wrong" }, undefined, AbortSignal.timeout(5_000)), (error) => {
      deepEqual([failureOf(error)?.name, failureOf(error)?.params.reason], ["provider-gemini.provider_auth", "Incorrect API key provided."])
      return true
    })
  })

  it("sends nothing of the gateway's environment to a provider", async () => {
    const own = { GOOGLE_API_KEY: "key-of-the-operator", GEMINI_API_KEY: "key-of-the-operator", GOOGLE_GEMINI_BASE_URL: "http://127.0.0.1:9/of-the-operator" }
    Object.assign(process.env, own)
    try {
      for (const key of [apiKey, ""]) await type.models({ ...connection, apiKey: key }, AbortSignal.timeout(5_000)).catch(() => undefined)
    } finally {
      for (const name of Object.keys(own)) Reflect.deleteProperty(process.env, name)
    }
    const headers = upstream.requests.slice(-2).map((request) => request.headers)
    deepEqual([headers.length, JSON.stringify(headers).includes("operator")], [2, false])
  })
})
