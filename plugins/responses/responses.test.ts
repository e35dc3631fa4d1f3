import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import OpenAI from "openai"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"
import { signedCalls, startAnthropic, wholeCalls } from "../../test/upstream/anthropic.ts"
import { splitArguments } from "../../test/upstream/faults.ts"

const tools = [{ type: "function" as const, name: "datetime", description: "The time.", parameters: { type: "object", properties: {} }, strict: false }]

describe("responses, asked by the official client", () => {
  let room: ChatRoom
  let openai: OpenAI
  before(async () => {
    room = await chatRoom()
    openai = await room.openai("reader")
  })
  after(() => room.close())

  const sent = () => room.upstream.requests.at(-1)?.body

  it("answer whole, with instructions and usage", async () => {
    const answer = await openai.responses.create({ model: "upstream/words-3", instructions: "Be brief.", input: "hello", max_output_tokens: 9, reasoning: { effort: "low" } })
    deepEqual([answer.output_text, answer.status, answer.usage?.input_tokens, answer.usage?.output_tokens], ["word0 word1 word2", "completed", 20, 3])
    deepEqual([sent().messages[0], sent().max_tokens, sent().reasoning_effort], [{ role: "system", content: "Be brief." }, 9, "low"])
  })

  it("stream the events of that API, numbered, adding up to the answer", async () => {
    const stream = openai.responses.stream({ model: "upstream/words-3", input: "hello" })
    const types: string[] = []
    for await (const event of stream) {
      equal(event.sequence_number, types.length)
      types.push(event.type)
    }
    const text = Array.from({ length: 3 }, () => "response.output_text.delta")
    const opening = ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    deepEqual(types, [...opening, ...text, "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"])
    equal((await stream.finalResponse()).output_text, "word0 word1 word2")
  })

  it("call functions, also several at once, and take their results", async () => {
    const { output } = await openai.responses.stream({ model: "upstream/tool-split", input: "What time is it?", tools, tool_choice: "required" }).finalResponse()
    const calls = output.filter((item) => item.type === "function_call")
    deepEqual(
      calls.map(({ call_id: id, name, arguments: args }) => [id, name, JSON.parse(args)]),
      [
        ["call_a", "datetime", splitArguments],
        ["call_b", "datetime", {}],
      ],
    )
    await openai.responses.create({
      model: "upstream/words-1",
      input: [
        { role: "user", content: "What time is it?" },
        ...calls,
        { type: "function_call_output", call_id: "call_a", output: "noon" },
        { type: "function_call_output", call_id: "call_b", output: "one" },
      ],
    })
    deepEqual(
      sent().messages.map(({ role, tool_calls: made, tool_call_id: answers }: Record<string, unknown[]>) => [role, made?.length ?? answers]),
      [
        ["user", undefined],
        ["assistant", 2],
        ["tool", "call_a"],
        ["tool", "call_b"],
      ],
    )
  })

  it("carry structured output and images", async () => {
    const format = { type: "json_schema" as const, name: "a", schema: { type: "object" }, strict: true }
    await openai.responses.create({
      model: "upstream/words-1",
      text: { format },
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is it?" },
            { type: "input_image", image_url: "https://img.example/a.png", detail: "auto" },
          ],
        },
      ],
    })
    deepEqual(sent().response_format, { type: "json_schema", json_schema: { name: "a", schema: { type: "object" }, strict: true } })
    deepEqual(sent().messages[0].content[1], { type: "image_url", image_url: { url: "https://img.example/a.png" } })
  })

  it("go on from a stored response, for its user and nobody else", async () => {
    const first = await openai.responses.create({ model: "upstream/words-2", instructions: "Once.", input: "One?" })
    await openai.responses.create({ model: "upstream/words-2", previous_response_id: first.id, input: "Two?" })
    deepEqual(
      sent().messages.map(({ role, content }: Record<string, string>) => [role, content]),
      [
        ["user", "One?"],
        ["assistant", "word0 word1"],
        ["user", "Two?"],
      ],
    )
    const other = await room.openai("other-reader")
    await rejects(other.responses.create({ model: "upstream/words-2", previous_response_id: first.id, input: "Two?" }), OpenAI.NotFoundError)
    const unkept = await openai.responses.create({ model: "upstream/words-2", store: false, input: "One?" })
    await rejects(openai.responses.create({ model: "upstream/words-2", previous_response_id: unkept.id, input: "Two?" }), OpenAI.NotFoundError)
  })

  for (const streamed of [true, false]) {
    it(`give a provider its signed thinking back with the results of its calls, ${streamed ? "streamed" : "whole"}`, async () => {
      const claude = await startAnthropic()
      try {
        const name = `claude-${streamed}`
        await room.gateway.as("admin").post("/v1/providers", { name, provider_type: "anthropic_native", api_base: claude.url, api_key: "sk-ant-0123456789" })
        const ask = { model: `${name}/claude-sonnet-4-5`, max_output_tokens: 5_000, reasoning: { effort: "low" as const }, tools, store: false }
        const input = [{ role: "user" as const, content: "What time is it?" }]
        claude.script((_, reply) => (streamed ? reply.start(signedCalls()).end() : reply.json(200, JSON.stringify(wholeCalls))))
        const { output } = streamed ? await openai.responses.stream({ ...ask, input }).finalResponse() : await openai.responses.create({ ...ask, input })
        claude.script(undefined)
        const results = output.flatMap((item) => (item.type === "function_call" ? [{ type: "function_call_output" as const, call_id: item.call_id, output: "noon" }] : []))
        await openai.responses.create({ ...ask, input: [...input, ...(output as OpenAI.Responses.ResponseInputItem[]), ...results] })
        const body = claude.requests.at(-1)?.body
        deepEqual(body.messages[1].content, wholeCalls.content)
        equal(body.thinking.type, "enabled")
      } finally {
        await claude.close()
      }
    })
  }

  it("are runs of an agent where the model names one", async () => {
    const client = await room.openai("agent-reader")
    const { output_text: text } = await client.responses.create({ model: "agent:default", input: "hello" })
    equal(text.split("word0").length, 2)
    ok(text.startsWith("word0"))
    equal((await room.ended("agent-reader")).status, "completed")
  })

  it("map failures to the classes of the client, and refuse what cannot be carried", async () => {
    const ask = (model: string, more: object = {}) => openai.responses.create({ model: `upstream/${model}`, input: "hello", ...more })
    await rejects(ask("status-400"), OpenAI.BadRequestError)
    await rejects(ask("status-404"), OpenAI.NotFoundError)
    await rejects(ask("limited-60"), OpenAI.RateLimitError)
    await rejects(ask("words-1", { tools: [{ type: "web_search" }] }), OpenAI.BadRequestError)
    await rejects(openai.responses.stream({ model: "upstream/cut-after-3", input: "hello" }).finalResponse(), OpenAI.APIError)
  })

  it("end the upstream call when the client leaves", async () => {
    const before = room.upstream.requests.length
    const abort = new AbortController()
    const stream = await openai.responses.create({ model: "upstream/paced-2000-20", input: "hello", stream: true }, { signal: abort.signal })
    let events = 0
    for await (const _ of stream) if (++events === 8) break
    abort.abort()
    equal(await room.upstream.requests[before]?.closed, true)
  })
})
