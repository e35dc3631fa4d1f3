import { deepEqual, equal, ok } from "node:assert/strict"
import { defineManifest, definePlugin, type ProviderType, ProviderTypes } from "@plugboard/sdk"
import OpenAI from "openai"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"

/** Speaks a format of its own, and makes vectors. */
const vectors = definePlugin(defineManifest({ id: "vectors", version: "1.0.0", sdk: "^1.0.0", contributes: [ProviderTypes] }), (host) => {
  const type: ProviderType = {
    defaultBaseUrl: "",
    defaultModel: "v",
    keyless: true,
    environment: [],
    async *chat() {
      yield [{ type: "finish", reason: "stop" }]
    },
    models: async () => [{ id: "v" }],
    verify: async () => undefined,
    embed: async (_, __, texts) => texts.map((text) => Float32Array.of(text.length, 0.5)),
  }
  host.contribute(ProviderTypes, "vectors", type)
  return {}
})

describe("embeddings", () => {
  let room: ChatRoom
  let openai: OpenAI
  before(async () => {
    room = await chatRoom({ plugins: [vectors] })
    await room.gateway.as("admin").post("/v1/providers", { name: "own", provider_type: "vectors" })
    openai = await room.openai("embedder")
  })
  after(() => room.close())

  it("pass a request to a provider of OpenAI's format as it is", async () => {
    const { data, usage } = await openai.embeddings.create({ model: "upstream/embed", input: ["a", "bcd"], encoding_format: "float", dimensions: 3 })
    deepEqual(
      data.sort((a, b) => a.index - b.index).map(({ embedding }) => embedding),
      [
        [1, 0, 1],
        [3, 1, 1],
      ],
    )
    deepEqual(usage, { prompt_tokens: 2, total_tokens: 2 })
    deepEqual(room.upstream.requests.at(-1)?.body, { model: "embed", input: ["a", "bcd"], encoding_format: "float", dimensions: 3 })
  })

  it("come as numbers and as base64 from a provider of another format", async () => {
    for (const encoding_format of ["float", "base64"] as const) {
      // The client asks for base64 by itself and turns it into numbers, unless it is told.
      const { data } = await openai.embeddings.create({ model: "own/v", input: ["ab", "cde"], ...(encoding_format === "float" && { encoding_format }) })
      deepEqual(
        data.map(({ embedding }) => [...embedding]),
        [
          [2, 0.5],
          [3, 0.5],
        ],
      )
    }
  })

  it("are counted, and recorded", async () => {
    for (;;) {
      const { rows } = await room.gateway.executeSql(
        "SELECT provider, channel, (usage->>'promptTokens')::int AS tokens FROM passthrough.calls WHERE channel = 'embeddings' ORDER BY started_at",
      )
      if (rows.length < 3) continue
      deepEqual(rows[0], { provider: "upstream", channel: "embeddings", tokens: 2 })
      return
    }
  })

  for (const [why, body, status] of [
    ["a model without a provider", { model: "embed", input: "a" }, 404],
    ["an agent", { model: "agent:default", input: "a" }, 404],
    ["nothing to embed", { model: "upstream/embed", input: [] }, 400],
    ["tokens, where only texts are taken", { model: "own/v", input: [1, 2] }, 400],
    ["dimensions that nobody can give", { model: "own/v", input: "a", dimensions: 1 }, 400],
  ] as const) {
    it(`refuse ${why}`, async () => {
      const answer = await (await room.user("embedder")).post("/v1/embeddings", body)
      deepEqual([answer.status, typeof answer.body.error.message], [status, "string"])
    })
  }

  it("map a provider's failures to the classes of OpenAI's client", async () => {
    const failing = new OpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: (await room.user("embedder")).key, maxRetries: 0 })
    const error = await failing.embeddings.create({ model: "own/v", input: "a", dimensions: 2 }).catch((thrown: unknown) => thrown)
    ok(error instanceof OpenAI.BadRequestError)
    equal(error.type, "invalid_request_error")
  })

  it("are asked for once to see whether a provider makes them, and how long they are", async () => {
    const admin = room.gateway.as("admin")
    const verdict = async (name: string, body?: object) => (await admin.post(`/v1/providers/${name}/verify-embedding`, body)).body
    deepEqual(await verdict("own"), { valid: true, dimensions: 2 })
    deepEqual(await verdict("own", { model: "v", dimensions: 3 }), { valid: true, dimensions: 2, dimension_mismatch: true })
    const { valid, error } = await verdict("loopback")
    deepEqual([valid, typeof error], [false, "string"])
  })

  it("come from the provider that the status names", async () => {
    const admin = room.gateway.as("admin")
    equal((await admin.get("/v1/embedding/status")).body.configured, true)
    await admin.put("/v1/system-configs/embedding.provider", { value: "own" })
    await admin.put("/v1/system-configs/embedding.model", { value: "v" })
    deepEqual((await admin.get("/v1/embedding/status")).body, { configured: true, provider: "vectors", provider_name: "own", model: "v" })
  })
})
