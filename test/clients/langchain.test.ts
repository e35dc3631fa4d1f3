import { deepEqual, equal, ok } from "node:assert/strict"
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai"
import { type ChatRoom, chatRoom } from "../chat-room.ts"
import { completion, usageOf } from "../upstream/bytes.ts"

describe("LangChain as a client", () => {
  let room: ChatRoom
  let shared: { apiKey: string; maxRetries: number; configuration: { baseURL: string } }
  before(async () => {
    room = await chatRoom()
    shared = { apiKey: (await room.user("langchain")).key, maxRetries: 0, configuration: { baseURL: `${room.gateway.url}/v1` } }
  })
  after(() => room.close())
  afterEach(() => room.upstream.script(undefined))

  const chat = (model: string) => new ChatOpenAI({ ...shared, model })

  it("chats and streams, with a provider and with an agent", async () => {
    const { content, usage_metadata: usage } = await chat("upstream/words-3").invoke("hello")
    deepEqual([content, usage?.output_tokens], ["word0 word1 word2", 3])
    let said = ""
    for await (const chunk of await chat("upstream/words-3").stream("hello")) said += chunk.content as string
    equal(said, content)
    ok(((await chat("agent:default").invoke("hello")).content as string).startsWith("word0"))
  })

  it("calls tools, and gets structured output", async () => {
    const datetime = { type: "function" as const, function: { name: "datetime", parameters: { type: "object", properties: {} } } }
    const made = { id: "call_a", type: "function", function: { name: "datetime", arguments: '{"tz":"UTC"}' } }
    room.upstream.script((_, reply) => reply.json(200, completion("m", { content: null, tool_calls: [made] }, "tool_calls", usageOf(1, 1))))
    const { tool_calls: calls } = await chat("upstream/m").bindTools([datetime]).invoke("What time is it?")
    deepEqual(
      calls?.map(({ name, args }) => [name, args]),
      [["datetime", { tz: "UTC" }]],
    )
    deepEqual(room.upstream.requests.at(-1)?.body.tools, [datetime])
    room.upstream.script((_, reply) => reply.json(200, completion("m", { content: '{"city":"Hanoi"}' }, "stop", usageOf(1, 1))))
    const schema = { title: "place", type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false }
    deepEqual(await chat("upstream/gpt-4o").withStructuredOutput(schema, { method: "jsonSchema" }).invoke("Where?"), { city: "Hanoi" })
  })

  it("sees failures with their status, and ends the upstream call when it aborts", async () => {
    const error = (await chat("upstream/status-400")
      .invoke("hello")
      .catch((thrown: unknown) => thrown)) as { status?: number }
    equal(error.status, 400)
    const abort = new AbortController()
    const before = room.upstream.requests.length
    const asked = chat("upstream/hang").invoke("hello", { signal: abort.signal })
    asked.catch(() => undefined)
    while (room.upstream.requests.length === before) await new Promise((resolve) => setTimeout(resolve, 5))
    abort.abort()
    equal(await room.upstream.requests[before]?.closed, true)
  })

  it("embeds", async () => {
    const embeddings = await new OpenAIEmbeddings({ ...shared, model: "upstream/embed", encodingFormat: "float" }).embedDocuments(["a", "bcd"])
    equal(embeddings.length, 2)
  })
})
