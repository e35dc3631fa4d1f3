import { deepEqual } from "node:assert/strict"
import type { Delta, LlmRequest, ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startKin } from "../../test/upstream/kin.ts"
import type { Upstream } from "../../test/upstream/provider.ts"

providerConformance({ ...upstreamCases((options) => startKin("xai", options)), plugin: "bundled", type: "xai", config: { plugins: { "provider-openai": impatient } } })

describe("provider-xai", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  before(async () => {
    upstream = await startKin("xai")
    ;({ gateway, type } = await startProviderType({ plugin: "bundled", type: "xai" }))
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function take(more: Partial<LlmRequest>, baseUrl = upstream.url): Promise<Delta[]> {
    const deltas: Delta[] = []
    const request = { model: "words-2", messages: [{ role: "user" as const, content: "hello" }], stream: true, ...more }
    for await (const batch of type.chat({ name: "xai", baseUrl, apiKey: "", settings: {} }, request, AbortSignal.timeout(10_000))) deltas.push(...batch)
    return deltas
  }

  it("counts the thinking, which xAI counts beside the completion", async () => {
    deepEqual((await take({ model: "thinking" })).find((delta) => delta.type === "usage")?.usage, {
      promptTokens: 100,
      completionTokens: 30,
      cachedTokens: 64,
      cacheWriteTokens: 0,
      reasoningTokens: 20,
    })
  })
})
