import { deepEqual, equal, match } from "node:assert/strict"
import type { Delta, LlmRequest, ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startKin } from "../../test/upstream/kin.ts"
import type { Upstream } from "../../test/upstream/provider.ts"

providerConformance({ ...upstreamCases((options) => startKin("mistral", options)), plugin: "bundled", type: "mistral", config: { plugins: { "provider-openai": impatient } } })

describe("provider-mistral", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  before(async () => {
    upstream = await startKin("mistral")
    ;({ gateway, type } = await startProviderType({ plugin: "bundled", type: "mistral" }))
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function take(more: Partial<LlmRequest>, baseUrl = upstream.url): Promise<Delta[]> {
    const deltas: Delta[] = []
    const request = { model: "words-2", messages: [{ role: "user" as const, content: "hello" }], stream: true, ...more }
    for await (const batch of type.chat({ name: "mistral", baseUrl, apiKey: "", settings: {} }, request, AbortSignal.timeout(10_000))) deltas.push(...batch)
    return deltas
  }

  it("reads answers in parts, and usage that comes unasked", async () => {
    deepEqual(await take({ model: "thinking" }), [
      { type: "thinking", text: "Let me see." },
      { type: "text", text: "Yes." },
      { type: "usage", usage: { promptTokens: 100, completionTokens: 30, cachedTokens: 64, cacheWriteTokens: 0, reasoningTokens: 20 } },
      { type: "finish", reason: "stop" },
    ])
  })

  it("makes ids of calls that Mistral takes, the same for a call and its answer", async () => {
    await take({
      messages: [
        { role: "user", content: "What time is it?" },
        { role: "assistant", content: "", thinking: "I should look.", toolCalls: [{ id: "call_of_another_provider", name: "datetime", arguments: {} }] },
        { role: "tool", content: "12:00", toolCallId: "call_of_another_provider" },
      ],
    })
    const messages = upstream.requests.at(-1)?.body.messages
    match(messages[2].tool_call_id, /^[a-zA-Z0-9]{9}$/)
    equal(messages[1].tool_calls[0].id, messages[2].tool_call_id)
  })
})
