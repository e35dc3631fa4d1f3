import { equal } from "node:assert/strict"
import { providerConformance, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import plugin from "./index.ts"
import { startUpstream, type Upstream } from "./test/upstream.ts"

const apiKey = "key-canary-0123456789"
const ask = (model: string) => ({ model, messages: [{ role: "user" as const, content: "hello" }] })
let upstream: Upstream
before(async () => {
  upstream = await startUpstream(apiKey)
})
after(() => upstream.close())

// What every provider type must hold to, here and in a process of its own, as it runs when it is installed.
providerConformance({
  plugin: { plugin, folder: import.meta.dirname },
  sandboxed: true,
  type: "scaffold",
  connection: () => ({ name: "mine", baseUrl: upstream.url, apiKey, settings: {} }),
  request: ask("small"),
  slow: ask("slow"),
  failures: {
    provider_auth: { connection: { apiKey: "key-another-0123456789" } },
    provider_rate_limited: { request: ask("status-429") },
    provider_overloaded: { request: ask("status-503") },
    provider_bad_request: { request: ask("status-422") },
    provider_network: { connection: { baseUrl: "http://127.0.0.1:9" } },
    provider_timeout: { request: ask("silent") },
    provider_broken_stream: { request: ask("cut") },
  },
  config: { plugins: { [plugin.manifest.id]: { silentMs: 3_000 } } },
})

describe("scaffold", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ sandboxed: [import.meta.dirname] })
  })
  after(() => gateway.close())

  it("answers a chat", async () => {
    const admin = gateway.as("admin")
    equal((await admin.post("/v1/providers", { name: "mine", provider_type: "scaffold", api_base: upstream.url, api_key: apiKey })).status, 201)
    equal((await admin.post("/v1/agents", { agent_key: "mine", provider: "mine", model: "small" })).status, 201)
    const { body } = await admin.post("/v1/chat/completions", { model: "goclaw:mine", messages: [{ role: "user", content: "hello" }] })
    equal(body.choices[0].message.content, "word0 word1 word2 word3 word4 ")
  })
})
