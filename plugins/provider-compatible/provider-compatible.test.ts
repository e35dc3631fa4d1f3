import { deepEqual, ok } from "node:assert/strict"
import { providerConformance, startProviderType, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startUpstream } from "../../test/upstream/openai.ts"
import { kin } from "./kin.ts"

// Nothing but address and model differs: one of them stands for all.
providerConformance({ ...upstreamCases(startUpstream), plugin: "bundled", type: "openrouter", config: { plugins: { "provider-openai": impatient } } })

describe("provider-compatible", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ env: { OPENROUTER_API_KEY: "sk-or-canary-0123456789", GOCLAW_ZAI_CODING_API_KEY: "zai-canary-0123456789" } })
  })
  after(() => gateway.close())

  it("brings each type with an address of its own", async () => {
    for (const [type, { base }] of Object.entries(kin)) {
      const { status, body } = await gateway.as("admin", "kin").post("/v1/providers", { name: type.replaceAll("_", "-"), provider_type: type, api_key: "k" })
      deepEqual([status, body.api_base], [201, base])
      ok(URL.canParse(base) && !base.endsWith("/"))
    }
  })

  it("seeds a provider for each key in the environment, under the key's name", async () => {
    const { providers } = (await gateway.as("admin").get("/v1/providers")).body
    deepEqual(
      providers.map(({ name, provider_type, api_key }: Record<string, string>) => [name, provider_type, api_key]),
      [
        ["openrouter", "openrouter", "***"],
        ["zai-coding", "zai_coding", "***"],
      ],
    )
  })

  it("asks a model for a word where there is no list", async () => {
    const upstream = await startUpstream()
    const started = await startProviderType({ plugin: "bundled", type: "perplexity" })
    const connection = { name: "p", baseUrl: upstream.url.replace("/v1", "/nothing-here"), apiKey: "k", settings: {} }
    const error = await started.type.verify(connection, undefined, AbortSignal.timeout(5_000)).catch((thrown: unknown) => thrown)
    deepEqual(
      [(error as { failure: { params: object } }).failure.params, upstream.requests.map(({ path }) => path)],
      [{ provider: "p", reason: "Unknown request URL: /nothing-here/chat/completions" }, ["/nothing-here/models", "/nothing-here/chat/completions"]],
    )
    deepEqual([upstream.requests[1]?.body.model, started.type.embed], ["sonar-pro", undefined])
    await started.gateway.close()
    await upstream.close()
  })
})
