import { deepEqual, equal, match, ok } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import plugin from "./index.ts"
import { type EchoServer, startEchoServer } from "./test/echo-server.ts"

const given = { plugin, folder: import.meta.dirname }
const apiKey = "echo-canary-0123456789"
const ask = (model: string) => ({ model, messages: [{ role: "user" as const, content: "one and two and three" }] })
let server: EchoServer
before(async () => {
  server = await startEchoServer(apiKey)
})
after(() => server.close())
const connection = () => ({ name: "parrots", baseUrl: server.url, apiKey, settings: {} })
const config = { plugins: { "provider-echo": { silentMs: 3_000 } } }

providerConformance({
  plugin: given,
  sandboxed: true,
  type: "echo",
  connection,
  request: ask("parrot"),
  slow: ask("slow"),
  failures: {
    provider_auth: { connection: { apiKey: "echo-another-0123456789" } },
    provider_rate_limited: { request: ask("busy") },
    provider_overloaded: { request: ask("down") },
    provider_not_found: { request: ask("unknown") },
    provider_bad_request: { request: ask("picky") },
    provider_network: { connection: { baseUrl: "http://127.0.0.1:9" } },
    provider_timeout: { request: ask("dumb") },
    provider_broken_stream: { request: ask("hoarse") },
  },
  config,
})

describe("provider-echo", () => {
  it("tells the server's own words, when to come back, and no key", async () => {
    const { gateway, type } = await startProviderType({ plugin: given, type: "echo", config })
    try {
      const failureWith = async (model: string, key = apiKey) => {
        try {
          for await (const _ of type.chat({ ...connection(), apiKey: key }, { ...ask(model), stream: true }, AbortSignal.timeout(10_000)));
        } catch (error) {
          return failureOf(error)
        }
      }
      const busy = await failureWith("busy")
      deepEqual([busy?.params, busy?.retryAfterMs], [{ provider: "parrots", reason: "too many words" }, 7_000])
      equal((await failureWith("parrot", "another"))?.params.reason, "the key *** is not known")
      equal((await failureWith("mumbling"))?.params.reason, "a line is neither a word nor the end")
      const elsewhere = await type.models({ ...connection(), baseUrl: "http://example.com" }, AbortSignal.timeout(10_000)).catch(failureOf)
      match(String((elsewhere as ReturnType<typeof failureOf>)?.params.reason), /manifest does not name it/)
    } finally {
      await gateway.close()
    }
  })

  describe("in a gateway, run as an installed plugin is", () => {
    let gateway: TestGateway
    before(async () => {
      gateway = await testGateway({ sandboxed: [import.meta.dirname] })
      const provider = { name: "parrots", provider_type: "echo", api_base: server.url, api_key: apiKey }
      equal((await gateway.as("admin").post("/v1/providers", provider)).status, 201)
      equal((await gateway.as("admin").post("/v1/agents", { agent_key: "parrot", provider: "parrots", model: "parrot" })).status, 201)
    })
    after(() => gateway.close())

    it("answers a chat", async () => {
      const { status, body } = await gateway.as("admin").post("/v1/chat/completions", { model: "goclaw:parrot", messages: [{ role: "user", content: "Pieces of eight!" }] })
      deepEqual([status, body.choices?.[0].message.content], [200, "Pieces of eight!"])
      deepEqual([body.usage.prompt_tokens, body.usage.completion_tokens], [3, 3])
      ok(server.keys.every((key) => key === apiKey || key?.startsWith("echo-another") || key === "another"))
    })
  })
})
