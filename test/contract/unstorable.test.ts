import { deepEqual, equal } from "node:assert/strict"
import { type Delta, defineManifest, definePlugin, type ProviderType, ProviderTypes } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

/** What a tokenizer cut in two, and a byte that a model made up. */
const said = "half \ud83d and none \0."
const kept = "half \ufffd and none \ufffd."

const manifest = defineManifest({ id: "odd", version: "1.0.0", sdk: "^1.0.0", summary: "Says what no database holds.", contributes: [ProviderTypes] })
const odd = definePlugin(manifest, (host) => {
  const type: ProviderType = {
    defaultBaseUrl: "",
    defaultModel: "odd",
    keyless: true,
    environment: [],
    async *chat(_, { messages }) {
      const call: Delta = { type: "tool", index: 0, id: "call-1", name: "datetime", arguments: JSON.stringify({ "zone\0": said }) }
      const answered = messages.some(({ role }) => role === "tool")
      yield answered ? [{ type: "text", text: said }] : [{ type: "thinking", text: said }, call]
      yield [{ type: "finish", reason: answered ? "stop" : "tool_calls" }]
    },
    models: async () => [{ id: "odd" }],
    verify: async () => undefined,
  }
  host.contribute(ProviderTypes, "odd", type)
  return {}
})

describe("what a model says that no database holds", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ plugins: [odd] })
    const admin = await gateway.as("admin", "acme")
    await admin.post("/v1/providers", { name: "odd", provider_type: "odd" })
    await admin.post("/v1/agents", { name: "odd", provider: "odd", model: "odd" })
  })
  after(() => gateway.close())

  it("is told as it was said, kept as far as it can be, and holds up no run", async () => {
    const rpc = await gateway.as("admin", "acme").rpc()
    const sessionKey = "agent:odd:ws:direct:1"
    equal((await rpc.call("chat.send", { agentId: "odd", sessionKey, message: "hello", stream: true })).content, said)
    const { messages } = await rpc.call("chat.history", { sessionKey })
    equal(messages.at(-1).content, kept)
    deepEqual(messages.find(({ tool_calls }: { tool_calls?: object[] }) => tool_calls)?.tool_calls[0].arguments, { "zone\ufffd": kept })
    const { status, body } = await gateway.as("admin", "acme").post("/v1/chat/completions", { model: "agent:odd", messages: [{ role: "user", content: "hello" }] })
    deepEqual([status, body.choices[0].message.content], [200, said])
    const { rows } = await gateway.executeSql("SELECT DISTINCT status FROM sessions.runs")
    deepEqual(rows, [{ status: "completed" }])
  })
})
