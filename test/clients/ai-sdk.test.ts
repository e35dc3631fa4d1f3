import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { createOpenAI } from "@ai-sdk/openai"
import { APICallError, embedMany, generateText, jsonSchema, Output, streamText, tool } from "ai"
import { type ChatRoom, chatRoom } from "../chat-room.ts"
import { completion, usageOf } from "../upstream/bytes.ts"

describe("the ai SDK as a client", () => {
  let room: ChatRoom
  let openai: ReturnType<typeof createOpenAI>
  before(async () => {
    room = await chatRoom()
    openai = createOpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: (await room.user("ai")).key })
  })
  after(() => room.close())
  afterEach(() => room.upstream.script(undefined))

  for (const [api, model] of [
    ["chat completions", (name: string) => openai.chat(name)],
    ["responses", (name: string) => openai.responses(name)],
  ] as const) {
    it(`chats and streams over ${api}, with a provider and with an agent`, async () => {
      const { text, usage } = await generateText({ model: model("upstream/words-3"), prompt: "hello", maxRetries: 0 })
      deepEqual([text, usage.outputTokens], ["word0 word1 word2", 3])
      let said = ""
      for await (const part of streamText({ model: model("upstream/words-3"), prompt: "hello", maxRetries: 0 }).textStream) said += part
      equal(said, text)
      ok((await generateText({ model: model("agent:default"), prompt: "hello", maxRetries: 0 })).text.startsWith("word0"))
    })

    it(`calls tools over ${api}`, async () => {
      const datetime = tool({ description: "The time.", inputSchema: jsonSchema<{ tz?: string }>({ type: "object", properties: { tz: { type: "string" } } }) })
      const { toolCalls } = await streamText({ model: model("upstream/tool-split"), prompt: "What time is it?", tools: { datetime }, maxRetries: 0 })
      deepEqual(
        (await toolCalls).map(({ toolName }) => toolName),
        ["datetime", "datetime"],
      )
    })

    it(`gets structured output over ${api}`, async () => {
      room.upstream.script((_, reply) => reply.json(200, completion("m", { content: '{"city":"Hanoi"}' }, "stop", usageOf(1, 1))))
      const schema = jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false })
      const { output } = await generateText({ model: model("upstream/m"), prompt: "Where?", output: Output.object({ schema }), maxRetries: 0 })
      deepEqual(output, { city: "Hanoi" })
      equal(room.upstream.requests.at(-1)?.body.response_format.type, "json_schema")
    })

    it(`sees failures over ${api} with their status`, async () => {
      await rejects(generateText({ model: model("upstream/status-404"), prompt: "hello", maxRetries: 0 }), (error) => APICallError.isInstance(error) && error.statusCode === 404)
    })
  }

  it("aborts, and the upstream call with it", async () => {
    const abort = new AbortController()
    const before = room.upstream.requests.length
    const { textStream } = streamText({ model: openai.chat("upstream/paced-2000-20"), prompt: "hello", abortSignal: abort.signal, maxRetries: 0, onError: () => undefined })
    for await (const _ of textStream) {
      abort.abort()
      break
    }
    equal(await room.upstream.requests[before]?.closed, true)
  })

  it("embeds", async () => {
    const { embeddings } = await embedMany({ model: openai.embedding("upstream/embed"), values: ["a", "bcd"], maxRetries: 0 })
    equal(embeddings.length, 2)
    equal(embeddings[0]?.length, 3)
  })
})
