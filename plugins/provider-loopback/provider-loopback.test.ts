import { deepEqual, equal, match } from "node:assert/strict"
import { type Delta, failureOf, type LlmRequest, type ModelMessage, type ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import plugin from "./index.ts"

const given = { plugin, folder: import.meta.dirname }
const connection = { name: "loopback", baseUrl: "", apiKey: "", settings: {} }
const ask = (content: string) => ({ model: "loopback-1", messages: [{ role: "user" as const, content }] })
const echo = { name: "echo", description: "Says it again.", parameters: { type: "object" } }

providerConformance({
  plugin: given,
  type: "loopback",
  connection: () => connection,
  request: ask("hello there"),
  slow: ask("/slow 1000 50"),
  tool: { ...ask('/tool echo {"text":"hello"}'), tools: [echo] },
  failures: {
    provider_auth: { request: ask("/fail auth") },
    provider_rate_limited: { request: ask("/fail rate") },
    provider_overloaded: { request: ask("/fail overloaded") },
    provider_network: { request: ask("/fail network 3") },
    provider_context_length: { request: ask("/fail context") },
  },
})

describe("provider-loopback", () => {
  let gateway: TestGateway
  let type: ProviderType
  before(async () => {
    ;({ gateway, type } = await startProviderType({ plugin: given, type: "loopback" }))
  })
  after(() => gateway.close())

  async function say(messages: readonly ModelMessage[], more: Partial<LlmRequest> = {}): Promise<Delta[]> {
    const deltas: Delta[] = []
    for await (const batch of type.chat(connection, { model: "loopback-1", messages, stream: true, ...more }, AbortSignal.timeout(10_000))) deltas.push(...batch)
    return deltas
  }
  const text = (deltas: readonly Delta[], kind = "text") => deltas.map((delta) => (delta.type === kind && "text" in delta ? delta.text : "")).join("")
  const user = (content: string): ModelMessage[] => [{ role: "user", content }]

  it("says what it is, and what was said to it, word by word", async () => {
    const deltas = await say(user("hello"))
    equal(text(deltas), "This is Plugboard's offline loopback provider; no model was asked. You said: hello")
    equal(deltas.filter((delta) => delta.type === "text").length, 13)
  })

  it("says what it is told to say, at the length and in the time that it is told", async () => {
    equal(text(await say(user("/say  one two\nthree "))), "one two\nthree")
    equal(text(await say(user("/long 3"))), "word0 word1 word2")
    const began = performance.now()
    equal(text(await say(user("/slow 4 50"))), "word0 word1 word2 word3")
    equal(performance.now() - began >= 190, true)
  })

  it("thinks", async () => {
    const deltas = await say(user("/think one two"))
    deepEqual([text(deltas, "thinking"), text(deltas)], ["one two", "I have thought about it."])
  })

  it("calls a tool that is on offer, in fragments, and repeats its result", async () => {
    const deltas = await say(user('/tool echo {"text":"hello world"}'), { tools: [echo] })
    const call = deltas.filter((delta) => delta.type === "tool")
    equal(call.length > 1, true)
    equal(call.map((fragment) => fragment.arguments).join(""), '{"text":"hello world"}')
    const answered: ModelMessage[] = [
      ...user("/tool echo {}"),
      { role: "assistant", content: "", toolCalls: [{ id: "call_1", name: "echo", arguments: {} }] },
      { role: "tool", content: "42", toolCallId: "call_1" },
    ]
    match(text(await say(answered)), /The tool answered: 42$/)
    match(text(await say(user("/tool rm {}"), { tools: [echo] })), /There is no tool rm on offer\.$/)
  })

  it("fails after as many words as it is told", async () => {
    const deltas: Delta[] = []
    try {
      for await (const batch of type.chat(connection, { model: "loopback-1", messages: user("/fail rate 2"), stream: true }, AbortSignal.timeout(5_000))) deltas.push(...batch)
    } catch (error) {
      equal(failureOf(error)?.name, "provider-loopback.provider_rate_limited")
    }
    equal(text(deltas), "word0 word1")
  })

  it("counts four characters a token", async () => {
    const usage = (await say([{ role: "system", content: "12345678" }, ...user("/say abcdefgh")])).find((delta) => delta.type === "usage")?.usage
    deepEqual(usage, { promptTokens: 6, completionTokens: 2, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 })
  })

  it("lets others work during a long answer", async () => {
    let turns = 0
    const timer = setInterval(() => (turns += 1), 1)
    await say(user("/long 50000"))
    clearInterval(timer)
    equal(turns > 3, true, `${turns} turns`)
  })
})
