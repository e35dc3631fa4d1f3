import { deepEqual, equal, ok } from "node:assert/strict"
import { type Delta, defineManifest, definePlugin, type FinishedRun } from "@plugboard/sdk"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"

const messages = [{ role: "user" as const, content: "hello there", name: "ann" }]
const finished: FinishedRun[] = []

/** Taps all that a call passes, each in a tenant of its own. */
const watcher = definePlugin(
  defineManifest({
    id: "watcher",
    version: "1.0.0",
    sdk: "^1.0.0",
    hooks: { "llm.request": { phase: "shape" }, "llm.response": { phase: "shape" }, "run.finished": { phase: "record" } },
  }),
  () => ({
    hooks: {
      "llm.request": (call) => (call.request.model === "warm" ? { ...call, request: { ...call.request, model: "words-3", temperature: 1.5 } } : call),
      "llm.response": (answer) => (answer.model === "words-4" ? { ...answer, message: { ...answer.message, content: "changed" } } : answer),
      "run.finished": (run) => void finished.push(run),
    },
  }),
)
const censor = definePlugin(defineManifest({ id: "censor", version: "1.0.0", sdk: "^1.0.0", hooks: { "llm.stream": { phase: "guard" } } }), () => ({
  hooks: {
    async *"llm.stream"(deltas) {
      for await (const batch of deltas) yield batch.map((delta): Delta => (delta.type === "text" ? { ...delta, text: delta.text.toUpperCase() } : delta))
    },
  },
}))

describe("passthrough with plugins that tap", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom({ plugins: [watcher] })
  })
  after(() => room.close())

  it("sends what a plugin changed of a request, and all else as the client sent it", async () => {
    const openai = await room.openai("request")
    const answer = await openai.chat.completions.create({ model: "upstream/warm", messages, seed: 3, max_completion_tokens: 9 })
    equal(answer.choices[0]?.message.content, "word0 word1 word2")
    deepEqual(room.upstream.requests.at(-1)?.body, { model: "words-3", messages, seed: 3, max_completion_tokens: 9, temperature: 1.5 })
  })

  it("puts a plugin's message into an answer that is not a stream", async () => {
    const openai = await room.openai("response")
    const { choices, usage } = await openai.chat.completions.create({ model: "upstream/words-4", messages })
    deepEqual([choices[0]?.message.content, usage?.completion_tokens], ["changed", 4])
  })

  it("tells of a stream what was said and what it cost, when it has ended", async () => {
    const openai = await room.openai("stream")
    for await (const _ of await openai.chat.completions.create({ model: "upstream/words-5", messages, stream: true }));
    const run = finished.at(-1)
    deepEqual([run?.channel, run?.agentKey, run?.provider, run?.model, run?.status, run?.usage.completionTokens], ["chat/completions", "", "upstream", "words-5", "completed", 5])
  })
})

describe("passthrough with a plugin that taps streams", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom({ plugins: [censor] })
  })
  after(() => room.close())

  it("passes every piece through it, whole or streamed", async () => {
    const openai = await room.openai("censored")
    const whole = await openai.chat.completions.create({ model: "upstream/words-2", messages })
    let said = ""
    for await (const { choices } of await openai.chat.completions.create({ model: "upstream/words-2", messages, stream: true })) said += choices[0]?.delta.content ?? ""
    deepEqual([whole.choices[0]?.message.content, said], ["WORD0 WORD1", "WORD0 WORD1"])
  })

  /** A provider's own words for what one choice after the other says, with members that nobody here reads. */
  const chunks = (...said: readonly (readonly [choice: number, text: string])[]) => {
    const head = { id: "c1", object: "chat.completion.chunk", created: 7, model: "m", system_fingerprint: "fp_1", service_tier: "default" }
    const of = (index: number, delta: object, finish_reason: string | null = null) =>
      `data: ${JSON.stringify({ ...head, choices: [{ index, delta, logprobs: { content: [{ token: "t", logprob: -1 }] }, finish_reason }], obfuscation: "x" })}\n\n`
    const choices = [...new Set(said.map(([choice]) => choice))]
    const opening = choices.map((choice) => of(choice, { role: "assistant", content: "", refusal: null }))
    const usage = `data: ${JSON.stringify({ ...head, choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } })}\n\n`
    return [...opening, ...said.map(([choice, content]) => of(choice, { content })), ...choices.map((choice) => of(choice, {}, "stop")), usage, "data: [DONE]\n\n"].join("")
  }
  const asked = { model: "upstream/m", messages, stream: true, seed: 5, logprobs: true, logit_bias: { 7: -1 }, stream_options: { include_usage: true } }
  const streamed = async (sent: string, more: object = {}) => {
    room.upstream.script((_, reply) => reply.start(sent).end())
    const response = await (await room.user("fields")).fetch("/v1/chat/completions", {
      method: "POST",
      body: JSON.stringify({ ...asked, ...more }),
      headers: { "content-type": "application/json" },
    })
    return response.text()
  }
  const read = (text: string) => text.split("\n\n").flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []))

  it("sends every field of OpenAI's API, and passes the provider's own bytes while it changes nothing", async () => {
    const sent = chunks([0, "1 "], [0, "2"])
    equal(await streamed(sent), sent)
    deepEqual(room.upstream.requests.at(-1)?.body, { ...asked, model: "m" })
  })

  it("writes chunks anew from its first change on, with what the provider's have beside their choices", async () => {
    const text = await streamed(chunks([0, "1 "], [0, "two "], [0, "3"]))
    const parts = read(text)
    equal(parts.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "1 TWO 3")
    ok(parts.every((part) => part.id === "c1" && part.system_fingerprint === "fp_1" && part.service_tier === "default"))
    deepEqual(parts.at(-1).usage.total_tokens, 7)
    ok(text.endsWith("data: [DONE]\n\n"))
  })

  it("lets each of several choices through it, in a stream and whole", async () => {
    const same = chunks([0, "1"], [1, "2"], [0, "3"], [1, "4"])
    equal(await streamed(same, { n: 2 }), same)
    const parts = read(await streamed(chunks([0, "one"], [1, "two"], [0, " more"]), { n: 2 }))
    const said = (at: number) =>
      parts
        .flatMap(({ choices }) => choices.filter(({ index }: { index: number }) => index === at).map(({ delta }: { delta: { content?: string } }) => delta.content ?? ""))
        .join("")
    deepEqual([said(0), said(1)], ["ONE MORE", "TWO"])
    const choice = (index: number, content: string) => ({ index, message: { role: "assistant", content, annotations: [] }, logprobs: { content: [] }, finish_reason: "stop" })
    room.upstream.script((_, reply) => reply.json(200, JSON.stringify({ id: "c1", object: "chat.completion", choices: [choice(0, "12"), choice(1, "three")] })))
    const openai = await room.openai("fields")
    const { choices } = await openai.chat.completions.create({ model: "upstream/m", messages, n: 2 })
    deepEqual(
      choices.map(({ message, logprobs }) => [message.content, logprobs]),
      [
        ["12", { content: [] }],
        ["THREE", null],
      ],
    )
  })
})
