import { deepEqual, equal, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import OpenAI from "openai"
import { startAnthropic } from "../../test/upstream/anthropic.ts"
import { startGemini } from "../../test/upstream/gemini.ts"
import type { Upstream } from "../../test/upstream/provider.ts"

const tools = [{ type: "function" as const, function: { name: "datetime", parameters: { type: "object", properties: {} } } }]

describe("OpenAI's chat completions on a provider of another kind", () => {
  let gateway: TestGateway
  let openai: OpenAI
  const upstreams = new Map<string, Upstream>()
  before(async () => {
    gateway = await testGateway()
    const admin = await gateway.as("admin")
    openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: admin.key, maxRetries: 0 })
    for (const [name, type, start] of [
      ["claude", "anthropic_native", startAnthropic],
      ["gemini", "gemini_native", startGemini],
    ] as const) {
      const upstream = await start()
      upstreams.set(name, upstream)
      await admin.post("/v1/providers", { name, provider_type: type, api_base: upstream.url, api_key: "key-0123456789abcdef" })
    }
  })
  after(async () => {
    await gateway.close()
    for (const upstream of upstreams.values()) await upstream.close()
  })

  for (const provider of ["claude", "gemini"]) {
    it(`answers from ${provider}, whole and in a stream, with usage`, async () => {
      const ask = { model: `${provider}/words-5`, messages: [{ role: "user" as const, content: "hello" }] }
      const whole = await openai.chat.completions.create(ask)
      const stream = await openai.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })
      let said = ""
      let usage: unknown
      for await (const part of stream) {
        said += part.choices[0]?.delta.content ?? ""
        usage = part.usage ?? usage
      }
      deepEqual([whole.choices[0]?.message.content, said], ["word0 word1 word2 word3 word4", "word0 word1 word2 word3 word4"])
      deepEqual([usage, whole.usage?.completion_tokens], [whole.usage, 5])
    })

    it(`calls tools of the client on ${provider}`, async () => {
      const stream = openai.chat.completions.stream({ model: `${provider}/tool-split`, tools, messages: [{ role: "user", content: "What time is it?" }] })
      const { choices } = await stream.finalChatCompletion()
      equal(choices[0]?.finish_reason, "tool_calls")
      deepEqual(
        choices[0]?.message.tool_calls?.map((call) => call.type === "function" && call.function.name),
        ["datetime", "datetime"],
      )
      const first = choices[0]?.message.tool_calls?.[0]
      ok(first?.type === "function" && JSON.parse(first.function.arguments).tz === "Asia/Ho_Chi_Minh")
    })
  }

  it("says in each one's words which tool, what ends the answer, and how likely words are chosen", async () => {
    const ask = {
      tools,
      tool_choice: { type: "function" as const, function: { name: "datetime" } },
      stop: ["END"],
      top_p: 0.5,
      messages: [{ role: "user" as const, content: "x" }],
    }
    const sent = async (provider: string) => {
      await openai.chat.completions.create({ model: `${provider}/words-1`, ...ask })
      return upstreams.get(provider)?.requests.at(-1)?.body
    }
    const claude = await sent("claude")
    deepEqual([claude.tool_choice, claude.stop_sequences, claude.top_p], [{ type: "tool", name: "datetime" }, ["END"], 0.5])
    const { toolConfig, generationConfig } = await sent("gemini")
    deepEqual(toolConfig, { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["datetime"] } })
    deepEqual([generationConfig.topP, generationConfig.stopSequences], [0.5, ["END"]])
  })

  it("maps failures to the classes of OpenAI's client", async () => {
    for (const [model, type] of [
      ["claude/status-400", OpenAI.BadRequestError],
      ["claude/status-404", OpenAI.NotFoundError],
      ["claude/limited-60", OpenAI.RateLimitError],
      ["claude/status-401", OpenAI.InternalServerError],
    ] as const) {
      const error = await openai.chat.completions.create({ model, messages: [{ role: "user", content: "x" }] }).catch((thrown: unknown) => thrown)
      ok(error instanceof type, `${model}: ${error}`)
    }
  })
})
