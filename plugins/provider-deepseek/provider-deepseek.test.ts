import { deepEqual, equal } from "node:assert/strict"
import type { Delta, LlmRequest, ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startKin } from "../../test/upstream/kin.ts"
import type { Upstream } from "../../test/upstream/provider.ts"

providerConformance({ ...upstreamCases((options) => startKin("deepseek", options)), plugin: "bundled", type: "deepseek", config: { plugins: { "provider-openai": impatient } } })

describe("provider-deepseek", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  before(async () => {
    upstream = await startKin("deepseek")
    ;({ gateway, type } = await startProviderType({ plugin: "bundled", type: "deepseek" }))
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function take(more: Partial<LlmRequest>, baseUrl = upstream.url): Promise<Delta[]> {
    const deltas: Delta[] = []
    const request = { model: "words-2", messages: [{ role: "user" as const, content: "hello" }], stream: true, ...more }
    for await (const batch of type.chat({ name: "deepseek", baseUrl, apiKey: "", settings: {} }, request, AbortSignal.timeout(10_000))) deltas.push(...batch)
    return deltas
  }

  it("reads thinking, and usage with DeepSeek's count of cached tokens", async () => {
    const deltas = await take({ model: "thinking" })
    deepEqual(deltas[0], { type: "thinking", text: "Let me see." })
    deepEqual(deltas.find((delta) => delta.type === "usage")?.usage, { promptTokens: 100, completionTokens: 30, cachedTokens: 64, cacheWriteTokens: 0, reasoningTokens: 20 })
  })

  it("gives the thinking back that led to a call, which the API demands", async () => {
    await take({
      messages: [
        { role: "user", content: "What time is it?" },
        { role: "assistant", content: "", thinking: "I should look.", toolCalls: [{ id: "call_of_another_provider", name: "datetime", arguments: {} }] },
        { role: "tool", content: "12:00", toolCallId: "call_of_another_provider" },
      ],
    })
    equal(upstream.requests.at(-1)?.body.messages[1].reasoning_content, "I should look.")
  })

  it("switches thinking off by DeepSeek's own word, and asks for an effort by OpenAI's", async () => {
    await take({ effort: "none" })
    deepEqual(upstream.requests.at(-1)?.body.thinking, { type: "disabled" })
    await take({ effort: "high" })
    equal(upstream.requests.at(-1)?.body.reasoning_effort, "high")
  })
})
