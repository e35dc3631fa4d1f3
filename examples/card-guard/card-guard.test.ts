import { deepEqual, doesNotMatch, equal, match } from "node:assert/strict"
import { type Delta, defineManifest, definePlugin, type LlmAnswer, type LlmCall, ProviderTypes } from "@plugboard/sdk"
import { hookConformance, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { CardScanner } from "./card-scanner.ts"
import plugin from "./index.ts"

const given = { plugin, folder: import.meta.dirname }
// Numbers that card schemes publish for tests.
const card = "4111 1111 1111 1111"
const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
const calling = (...contents: string[]): LlmCall => ({
  runId: "r",
  provider: "p",
  iteration: 1,
  request: { model: "m", stream: true, messages: contents.map((content) => ({ role: "user", content })) },
})
const answering = (content: string, thinking?: string): LlmAnswer => ({
  runId: "r",
  provider: "p",
  model: "m",
  iteration: 1,
  usage,
  finish: "stop",
  message: { role: "assistant", content, ...(thinking !== undefined && { thinking }) },
})
const saying = (...texts: string[]): Delta[] => [...texts.map((text): Delta => ({ type: "text", text })), { type: "usage", usage }, { type: "finish", reason: "stop" }]

hookConformance({
  plugin: given,
  sandboxed: true,
  hook: "llm.request",
  untouched: [calling("hello", "order 1234 5678"), { ...calling(), request: { ...calling().request, messages: [{ role: "user", content: [{ type: "image", url: "data:," }] }] } }],
  cases: [
    { given: calling("hi", `my card is ${card}, please`), expected: calling("hi", "my card is [card number], please") },
    {
      given: { ...calling(), request: { ...calling().request, messages: [{ role: "tool", toolCallId: "1", content: [{ type: "text", text: card }] }] } },
      expected: { ...calling(), request: { ...calling().request, messages: [{ role: "tool", toolCallId: "1", content: [{ type: "text", text: "[card number]" }] }] } },
    },
  ],
})

hookConformance({
  plugin: given,
  sandboxed: true,
  hook: "llm.response",
  untouched: [answering("4111 1111 1111 1112 has a wrong check digit", "so it is none")],
  cases: [{ given: answering(`It is ${card}.`, "378282246310005, I think"), expected: answering("It is [card number].", "[card number], I think") }],
})

hookConformance({
  plugin: given,
  sandboxed: true,
  hook: "llm.stream",
  untouched: [
    saying("In 1969, 12 of 100 people. Call 555-0100 or 020 7946 0000."),
    [{ type: "tool", index: 0, id: "1", name: "pay", arguments: '{"amount":4111}' }, ...saying("4111", " 1111-")],
  ],
  cases: [
    { given: saying(`It is ${card}.`), expected: saying("It is [card number].") },
    { given: saying(card), expected: saying("[card number]") },
    { given: saying(`5555-5555-5555-4444 and ${card} 12/27 or 6011111111111117`), expected: saying("[card number] and [card number] 12/27 or [card number]") },
    { given: [{ type: "thinking", text: `${card}?` }, ...saying(`${card}!`)], expected: [{ type: "thinking", text: "[card number]?" }, ...saying("[card number]!")] },
  ],
})

describe("card-guard", () => {
  describe("in a text", () => {
    const clean = (text: string) => {
      const scanner = new CardScanner("#")
      return scanner.push(text) + scanner.end()
    }

    it("finds a number among other groups of digits", () => {
      equal(clean(`1 ${card} 99 12`), "1 # 99 12")
      equal(clean(`${card} ${card}`), "# #")
      equal(clean("card:4111111111111111;"), "card:#;")
    })

    it("leaves digits alone that are no card's", () => {
      for (const text of ["1234567890123", "41111111111111111111111111111111", "4111  1111  1111  1111", "9111 1111 1111 1111", "- 12 - 34"]) equal(clean(text), text)
    })

    it("holds back 19 digits at most", () => {
      const scanner = new CardScanner("#")
      let passed = 0
      for (let at = 1; at <= 10_000; at += 1) {
        passed += scanner.push("7").length
        equal(at - passed <= 19, true, `${at - passed} digits are held back`)
      }
    })
  })

  describe("in a chat, run as an installed plugin is", () => {
    let gateway: TestGateway
    before(async () => {
      gateway = await testGateway({ plugins: [teller], sandboxed: [import.meta.dirname] })
      const { status } = await gateway.as("admin").post("/v1/providers", { name: "teller", provider_type: "teller" })
      equal(status, 201)
    })
    after(() => gateway.close())
    const ask = (content: string, more: object = {}) => ({ messages: [{ role: "user", content }], ...more })

    it("keeps a number from the model", async () => {
      const { status, body } = await gateway.as("operator").post("/v1/chat/completions", ask(`Is ${card} mine?`))
      equal(status, 200)
      match(body.choices[0].message.content, /You said: Is \[card number\] mine\?$/)
    })

    it("keeps a number that a model says from who listens, whole and streamed", async () => {
      const { body: agent } = await gateway.as("admin").post("/v1/agents", { agent_key: "teller", provider: "teller", model: "teller-1" })
      deepEqual([agent.provider, agent.model], ["teller", "teller-1"])
      const whole = await gateway.as("admin").post("/v1/chat/completions", ask("tell", { model: "goclaw:teller" }))
      equal(whole.body.choices[0].message.content, "It is [card number]. Bye.")
      const stream = await gateway.as("admin").fetch("/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(ask("tell", { model: "goclaw:teller", stream: true })),
      })
      const text = await stream.text()
      const said = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data as string).choices[0]?.delta?.content ?? "").join("")
      equal(said, "It is [card number]. Bye.")
      doesNotMatch(text, /4111/)
    })
  })
})

/** A provider that says a card number in pieces. */
const teller = definePlugin(defineManifest({ id: "teller", version: "1.0.0", sdk: "^1.0.0", contributes: [ProviderTypes] }), (host) => {
  host.contribute(ProviderTypes, "teller", {
    defaultBaseUrl: "",
    defaultModel: "teller-1",
    keyless: true,
    environment: [],
    async *chat() {
      for (const delta of saying("It is 41", "11 1111", " ", "1111 11", "11. By", "e.")) yield [delta]
    },
    models: async () => [{ id: "teller-1" }],
    verify: async () => undefined,
  })
  return {}
})
