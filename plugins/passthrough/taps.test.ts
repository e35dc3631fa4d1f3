import { deepEqual, equal } from "node:assert/strict"
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
})
