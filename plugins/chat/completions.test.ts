import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import OpenAI from "openai"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"
import { completion, usageOf } from "../../test/upstream/bytes.ts"

const messages = [{ role: "user" as const, content: "hello there" }]

describe("chat completions", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom()
  })
  after(() => room.close())

  it("answer in JSON, with the usage that the provider bills", async () => {
    const openai = await room.openai("json", "words-5")
    const answer = await openai.chat.completions.create({ model: "agent:default", messages })
    match(answer.id, /^chatcmpl-[0-9a-f]{8}$/)
    deepEqual([answer.object, answer.model], ["chat.completion", "agent:default"])
    deepEqual(answer.choices, [{ index: 0, message: { role: "assistant", content: "word0 word1 word2 word3 word4" }, finish_reason: "stop" }] as never)
    deepEqual(answer.usage, { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 })
  })

  it("stream a chunk for each delta of the model, then a finish, and usage where it is asked for", async () => {
    const openai = await room.openai("stream", "words-50")
    const stream = await openai.chat.completions.create({ model: "agent:default", messages, stream: true, stream_options: { include_usage: true } })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    const deltas = chunks.flatMap((chunk) => chunk.choices)
    deepEqual(deltas[0]?.delta, { role: "assistant", content: "" })
    deepEqual(
      deltas.slice(1, -1).map(({ delta }) => delta),
      Array.from({ length: 50 }, (_, index) => ({ content: index === 0 ? "word0" : ` word${index}` })),
    )
    deepEqual(deltas.at(-1), { index: 0, delta: {}, finish_reason: "stop" })
    const last = chunks.at(-1)
    deepEqual([last?.choices, last?.usage], [[], { prompt_tokens: 20, completion_tokens: 50, total_tokens: 70 }])
    ok(chunks.slice(0, -1).every(({ usage, id }) => usage === null && id === last?.id))
  })

  it("say nothing of usage in a stream that did not ask", async () => {
    const openai = await room.openai("no-usage", "words-2")
    for await (const chunk of await openai.chat.completions.create({ model: "agent:default", messages, stream: true })) equal("usage" in chunk, false)
  })

  it("give the model the earlier messages and the caller's instructions", async () => {
    const openai = await room.openai("history", "echo")
    await openai.chat.completions.create({
      model: "",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "One?" },
        { role: "assistant", content: "Two." },
        { role: "user", content: [{ type: "text", text: "Three?" }] },
      ],
    })
    const { body } = room.upstream.requests.at(-1) as { body: { messages: { role: string; content: string }[] } }
    deepEqual(
      body.messages.map(({ role, content }) => [role, content]),
      [
        ["system", "Be brief."],
        ["user", "One?"],
        ["assistant", "Two."],
        ["user", "Three?"],
      ],
    )
  })

  for (const stream of [false, true]) {
    it(`end the upstream call within a second when the client leaves ${stream ? "a stream" : "before the answer"}; what was said stays`, async () => {
      const user = `leaver-${stream}`
      const openai = await room.openai(user, stream ? "paced-2000-20" : "hang")
      const abort = new AbortController()
      const before = room.upstream.requests.length
      const asked = openai.chat.completions.create({ model: "agent:default", messages, stream }, { signal: abort.signal })
      asked.catch(() => undefined)
      if (stream) {
        let chunks = 0
        for await (const _ of (await asked) as AsyncIterable<unknown>) if (++chunks === 5) break
      } else {
        while (room.upstream.requests.length === before) await sleep(10)
      }
      abort.abort()
      equal(await room.upstream.requests.at(-1)?.closed, true)
      const run = await room.ended(user)
      equal(run.status, "cancelled")
      ok(run.usage?.estimated && run.usage.promptTokens > 0, JSON.stringify(run.usage))
      const { body } = await (await room.user(user)).get("/v1/sessions")
      const { body: shown } = await (await room.user(user)).post(`/v1/sessions/${encodeURIComponent(body.sessions[0].key)}/preview`)
      match(shown.messages.at(-1).content, stream ? /^word0 word1/ : /^\[Stopped by user\]$/)
    })
  }

  it("refuse an unknown agent with 404 in OpenAI's shape", async () => {
    const openai = await room.openai("unknown-agent")
    const error = await openai.chat.completions.create({ model: "agent:nobody", messages }).catch((thrown: unknown) => thrown)
    ok(error instanceof OpenAI.NotFoundError)
    deepEqual([error.status, error.type, error.code], [404, "invalid_request_error", "model_not_found"])
    match(error.message, /nobody/)
  })

  it("refuse a wrong token with 401", async () => {
    const openai = new OpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: "goclaw_wrong", maxRetries: 0 })
    await rejects(openai.chat.completions.create({ model: "agent:default", messages }), OpenAI.AuthenticationError)
  })

  it("refuse a body that is not JSON with 400 in OpenAI's shape", async () => {
    const response = await (await room.user("no-json")).fetch("/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body: '{"messages": [' })
    equal(response.status, 400)
    const { error } = (await response.json()) as { error: { type: string; message: string; param: null } }
    deepEqual([error.type, error.param], ["invalid_request_error", null])
  })

  it("refuse ten megabytes in a field with 413, and serve on", async () => {
    const openai = await room.openai("large")
    const error = await openai.chat.completions.create({ model: "agent:default", messages: [{ role: "user", content: "x".repeat(10_000_000) }] }).catch((thrown: unknown) => thrown)
    ok(error instanceof OpenAI.APIError, String(error))
    equal(error.status, 413)
    ok((await openai.models.list()).data.some(({ id }) => id === "goclaw:default"))
  })

  for (const [why, body] of [
    ["no messages", { messages: [] }],
    ["no user message", { messages: [{ role: "assistant", content: "hello" }] }],
    ["an empty user message", { messages: [{ role: "user", content: "" }] }],
  ] as const) {
    it(`refuse ${why} with 400`, async () => {
      const answer = await (await room.user("refused")).post("/v1/chat/completions", body)
      deepEqual([answer.status, answer.body.error.type], [400, "invalid_request_error"])
    })
  }

  describe("with an Idempotency-Key", () => {
    const keyed = (key: string) => ({ headers: { "Idempotency-Key": key } })

    it("are one run, however often they are asked: while it goes on, and after its end", async () => {
      const openai = await room.openai("twice", "slow")
      room.upstream.script(async (_, reply) => {
        await sleep(300)
        reply.json(200, completion("slow", { content: "At last." }, "stop", usageOf(5, 2)))
      })
      const ask = () => openai.chat.completions.create({ model: "agent:default", messages }, keyed("once"))
      const [first, second] = await Promise.all([ask(), ask()])
      const third = await ask()
      room.upstream.script(undefined)
      deepEqual(new Set([first, second, third].map(({ id }) => id)).size, 1)
      deepEqual([second.choices, third.choices], [first.choices, first.choices])
      equal((await room.runs("twice")).length, 1)
    })

    it("stream the whole answer again, also to one who comes back in its middle", async () => {
      const openai = await room.openai("back", "paced-20-30")
      const ask = () => openai.chat.completions.create({ model: "agent:default", messages, stream: true }, keyed("again"))
      const textOf = async (stream: AsyncIterable<{ choices: { delta: { content?: string | null } }[] }>) => {
        let text = ""
        for await (const { choices } of stream) text += choices[0]?.delta.content ?? ""
        return text
      }
      const first = textOf(await ask())
      const inTheMiddle = textOf(await ask())
      const [text, again] = await Promise.all([first, inTheMiddle])
      equal(text.split(" ").length, 20)
      deepEqual([again, await textOf(await ask())], [text, text])
      equal((await room.runs("back")).length, 1)
    })

    it("are another run for another user", async () => {
      const [one, other] = await Promise.all(
        ["key-one", "key-other"].map(async (user) => (await room.openai(user, "words-3")).chat.completions.create({ model: "agent:default", messages }, keyed("same"))),
      )
      ok(one?.id !== other?.id)
    })
  })
})
