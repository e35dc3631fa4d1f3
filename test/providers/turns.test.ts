import { deepEqual, equal } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { anthropicFormat, signature, startAnthropic } from "../upstream/anthropic.ts"
import type { Format } from "../upstream/format.ts"
import { geminiFormat, startGemini, thoughtSignature } from "../upstream/gemini.ts"
import { startKin } from "../upstream/kin.ts"
import { openAiFormat } from "../upstream/openai.ts"
import type { Upstream } from "../upstream/provider.ts"

const apiKey = "sk-canary-0123456789abcdef"
const spent = { prompt: 20, completion: 5 }

/** Thinks and calls a tool as long as no tool has answered, then answers. */
function thinkThenCall(upstream: Upstream, format: Format, answeredIn: (body: unknown) => boolean): void {
  upstream.script(({ body }, reply) => {
    const voice = format.voice("m")
    if (answeredIn(body)) return reply.start(voice.say("It is noon.") + voice.end("stop", spent)).end()
    reply.start([voice.think("I should look."), voice.call(0, "call_a1b2c3d4", "datetime"), voice.args(0, "{}"), voice.end("tool_calls", spent)].join("")).end()
  })
}

describe("a turn with tools, by provider type", () => {
  let gateway: TestGateway
  const open: Upstream[] = []
  before(async () => {
    gateway = await testGateway()
  })
  after(async () => {
    await gateway.close()
    await Promise.all(open.map((upstream) => upstream.close()))
  })

  /** An agent that thinks hard, on a provider of that type. */
  async function agentOn(type: string, upstream: Upstream, model: string): Promise<string> {
    open.push(upstream)
    const admin = gateway.as("admin")
    const name = type.replaceAll("_", "-")
    await admin.post("/v1/providers", { name, provider_type: type, api_base: upstream.url, api_key: apiKey })
    await admin.post("/v1/agents", { name, provider: name, model, thinking_level: "high" })
    return name
  }
  async function ask(agent: string, messages: { role: string; content: string }[]) {
    const { body } = await gateway.as("admin").post("/v1/chat/completions", { model: `agent:${agent}`, messages })
    return body.choices?.[0]?.message.content ?? JSON.stringify(body)
  }
  const question = { role: "user", content: "What time is it?" }

  it("gives Anthropic's signed thinking back between the calls", async () => {
    const upstream = await startAnthropic({ key: apiKey })
    const agent = await agentOn("anthropic_native", upstream, "claude-sonnet-4-5-20250929")
    thinkThenCall(upstream, anthropicFormat, (body) => JSON.stringify(body).includes("tool_result"))
    equal(await ask(agent, [question]), "It is noon.")
    const [first, second] = upstream.requests.map(({ body }) => body)
    equal(first.thinking.type, "enabled")
    deepEqual(second.messages[1].content, [
      { type: "thinking", thinking: "I should look.", signature },
      { type: "tool_use", id: "call_a1b2c3d4", name: "datetime", input: {} },
    ])
    equal(second.messages[2].content[0].type, "tool_result")
  })

  it("gives the signature of Gemini's thoughts back with the call", async () => {
    const upstream = await startGemini({ key: apiKey })
    const agent = await agentOn("gemini_native", upstream, "gemini-3-pro-preview")
    thinkThenCall(upstream, geminiFormat, (body) => JSON.stringify(body).includes("functionResponse"))
    equal(await ask(agent, [question]), "It is noon.")
    const second = upstream.requests[1]?.body
    deepEqual(second.contents[1].parts, [{ functionCall: { name: "datetime", args: {} }, thoughtSignature }])
    equal(second.contents[2].parts[0].functionResponse.name, "datetime")
    equal(second.generationConfig.thinkingConfig.thinkingLevel, "HIGH")
  })

  it("gives DeepSeek's thinking back, in later turns of the session too", async () => {
    const upstream = await startKin("deepseek", { key: apiKey })
    const agent = await agentOn("deepseek", upstream, "deepseek-chat")
    thinkThenCall(upstream, openAiFormat, (body) => (body as { messages: { role: string }[] }).messages.at(-1)?.role === "tool")
    const rpc = await gateway.as("admin").rpc()
    for (const message of ["What time is it?", "And now?"])
      equal((await rpc.call("chat.send", { agentId: agent, sessionKey: `agent:${agent}:ws:direct:1`, message })).content, "It is noon.")
    for (const { body } of upstream.requests) {
      for (const message of body.messages) if (message.tool_calls) equal(message.reasoning_content, "I should look.")
      equal(body.reasoning_effort, "high")
    }
    equal(upstream.requests.length, 4)
    equal(upstream.requests[3]?.body.messages.filter((message: { tool_calls?: object }) => message.tool_calls).length, 2)
  })
})
