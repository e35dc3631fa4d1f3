import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import Anthropic from "@anthropic-ai/sdk"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"
import { signedCalls, startAnthropic, wholeCalls } from "../../test/upstream/anthropic.ts"
import { splitArguments } from "../../test/upstream/faults.ts"
import type { Upstream } from "../../test/upstream/provider.ts"

const messages = [{ role: "user" as const, content: "hello there" }]
const tools = [{ name: "datetime", description: "The time.", input_schema: { type: "object" as const, properties: {} } }]

describe("messages, asked by the official client", () => {
  let room: ChatRoom
  let claude: Upstream
  let client: Anthropic
  before(async () => {
    room = await chatRoom()
    claude = await startAnthropic()
    await room.gateway.as("admin").post("/v1/providers", { name: "claude", provider_type: "anthropic_native", api_base: claude.url, api_key: "sk-ant-0123456789" })
    client = new Anthropic({ baseURL: room.gateway.url, apiKey: (await room.user("anna")).key, authToken: null, maxRetries: 0 })
  })
  after(async () => {
    await room.close()
    await claude.close()
  })

  for (const provider of ["upstream", "claude"]) {
    it(`answer from ${provider}, whole and in a stream`, async () => {
      const asked = { model: `${provider}/words-5`, max_tokens: 50, system: "Be brief.", messages }
      const whole = await client.messages.create(asked)
      match(whole.id, /^msg_/)
      deepEqual([whole.content, whole.stop_reason, whole.model], [[{ type: "text", text: "word0 word1 word2 word3 word4" }], "end_turn", asked.model])
      deepEqual([whole.usage.input_tokens, whole.usage.output_tokens], [20, 5])
      const streamed = await client.messages.stream(asked).finalMessage()
      deepEqual([streamed.content, streamed.stop_reason, streamed.usage.output_tokens], [whole.content, "end_turn", 5])
    })

    it(`call tools on ${provider}, fragments and all`, async () => {
      const asked = { model: `${provider}/tool-split`, max_tokens: 50, tools, messages }
      const { content, stop_reason: reason } = await client.messages.stream(asked).finalMessage()
      equal(reason, "tool_use")
      deepEqual(
        content.map((block) => (block.type === "tool_use" ? [block.id, block.name, block.input] : block.type)),
        ["text", ["call_a", "datetime", splitArguments], ["call_b", "datetime", {}]],
      )
    })
  }

  it("carry images, calls and their results, and which tool must be called", async () => {
    await client.messages.create({
      model: "upstream/words-1",
      max_tokens: 50,
      tools,
      tool_choice: { type: "tool", name: "datetime" },
      stop_sequences: ["END"],
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
            { type: "text", text: "What is it?" },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "datetime", input: { tz: "UTC" } }] },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "c1", content: [{ type: "text", text: "noon" }] },
            { type: "text", text: "And now?" },
          ],
        },
      ],
    })
    const { body } = room.upstream.requests.at(-1) ?? {}
    deepEqual(
      body.messages.map(({ role }: { role: string }) => role),
      ["user", "assistant", "tool", "user"],
    )
    deepEqual(body.messages[0].content[0], { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } })
    deepEqual([body.messages[1].tool_calls[0].id, body.messages[2].tool_call_id], ["c1", "c1"])
    deepEqual([body.tool_choice, body.stop, body.max_tokens], [{ type: "function", function: { name: "datetime" } }, ["END"], 50])
  })

  it("give a provider its signed thinking back", async () => {
    const first = await client.messages.stream({ model: "claude/thinking", max_tokens: 50, messages }).finalMessage()
    deepEqual(
      first.content.map(({ type }) => type),
      ["thinking", "text"],
    )
    await client.messages.create({
      model: "claude/words-1",
      max_tokens: 50,
      messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: "More." }],
    })
    const sent = claude.requests.at(-1)?.body.messages[1].content[0]
    equal(sent.type, "thinking")
    ok(sent.signature.length > 10 && !sent.signature.includes("anthropic"))
  })

  for (const streamed of [true, false]) {
    it(`give a provider its signed thinking back with the answers to its calls, ${streamed ? "streamed" : "whole"}`, async () => {
      claude.script((_, reply) => (streamed ? reply.start(signedCalls()).end() : reply.json(200, JSON.stringify(wholeCalls))))
      const asked = { model: "claude/claude-sonnet-4-5", max_tokens: 5_000, thinking: { type: "enabled" as const, budget_tokens: 2_000 }, tools, messages }
      const { content } = streamed ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked)
      claude.script(undefined)
      const results = content.flatMap((block) => (block.type === "tool_use" ? [{ type: "tool_result" as const, tool_use_id: block.id, content: "noon" }] : []))
      await client.messages.create({ ...asked, messages: [...messages, { role: "assistant", content }, { role: "user", content: results }] })
      const body = claude.requests.at(-1)?.body
      deepEqual(body.messages[1].content, wholeCalls.content)
      equal(body.thinking.type, "enabled")
    })
  }

  it("are runs of an agent where the model names one, or nothing else", async () => {
    for (const model of ["agent:default", "claude-sonnet-4-5"]) {
      const { content } = await client.messages.stream({ model, max_tokens: 50, messages }).finalMessage()
      ok(content[0]?.type === "text" && content[0].text.startsWith("word0"))
    }
    equal((await room.runs("anna")).length, 2)
  })

  it("estimate tokens", async () => {
    const { input_tokens: tokens } = await client.messages.countTokens({ model: "upstream/words-1", messages, tools })
    ok(tokens > 3 && tokens < 200)
  })

  for (const [model, type, status] of [
    ["status-400", Anthropic.BadRequestError, 400],
    ["status-404", Anthropic.NotFoundError, 404],
    ["limited-60", Anthropic.RateLimitError, 429],
    ["status-401", Anthropic.InternalServerError, 502],
  ] as const) {
    it(`map ${model} to ${type.name}`, async () => {
      for (const stream of [false, true]) {
        const error = await client.messages.create({ model: `claude/${model}`, max_tokens: 50, messages, stream }).catch((thrown: unknown) => thrown)
        ok(error instanceof type, String(error))
        equal(error.status, status)
        deepEqual([(error.error as { type: string }).type, typeof (error.error as { error: { message: string } }).error.message], ["error", "string"])
      }
    })
  }

  it("refuse a wrong key, and what cannot be carried", async () => {
    const wrong = new Anthropic({ baseURL: room.gateway.url, apiKey: "goclaw_wrong", authToken: null, maxRetries: 0 })
    await rejects(wrong.messages.create({ model: "upstream/words-1", max_tokens: 5, messages }), Anthropic.AuthenticationError)
    const document = { type: "document" as const, source: { type: "text" as const, media_type: "text/plain" as const, data: "x" } }
    await rejects(client.messages.create({ model: "upstream/words-1", max_tokens: 5, messages: [{ role: "user", content: [document] }] }), Anthropic.BadRequestError)
  })

  it("tell a stream that broke as an error in it", async () => {
    await rejects(client.messages.stream({ model: "upstream/cut-after-3", max_tokens: 50, messages }).finalMessage(), Anthropic.APIError)
  })

  it("end the upstream call when the client leaves", async () => {
    const before = room.upstream.requests.length
    const stream = client.messages.stream({ model: "upstream/paced-2000-20", max_tokens: 50, messages })
    stream.on("error", () => undefined).on("abort", () => undefined)
    while (room.upstream.requests.length === before) await sleep(5)
    await sleep(100)
    stream.abort()
    equal(await room.upstream.requests[before]?.closed, true)
  })
})
