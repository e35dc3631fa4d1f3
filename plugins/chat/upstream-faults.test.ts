import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import OpenAI from "openai"
import { type ChatRoom, chatRoom, upstreamKey } from "../../test/chat-room.ts"

interface Fault {
  why: string
  model: string
  /** Of an answer that has not begun; a stream that has says it in its last event. */
  status: number
  /** What the client gets to read. */
  text: RegExp
  /** True: the provider said something, which counts. */
  said?: boolean
  /** Prompt tokens are counted although nothing came: the provider was at work. */
  asked?: boolean
  /** Of the upstream, for one call. */
  attempts?: number
  retryAfter?: string
}
const faults: readonly Fault[] = [
  { why: "429 with a Retry-After longer than a run waits", model: "limited-30", status: 502, text: /takes no more requests now: Rate limit reached/, retryAfter: "30" },
  { why: "429 with a short Retry-After, again and again", model: "limited-ms-20", status: 502, text: /Rate limit reached/, attempts: 3 },
  { why: "500", model: "status-500", status: 502, text: /the model says 500/, attempts: 3 },
  { why: "a wrong key", model: "status-401", status: 502, text: /refuses the key/ },
  { why: "a conversation that is too long", model: "too-long", status: 400, text: /too long for the model/ },
  { why: "a hang before the first byte", model: "hang", status: 504, text: /took too long/, asked: true },
  { why: "a hang after the first byte", model: "hang-after-3", status: 504, text: /took too long: silent for 500 ms/, said: true },
  { why: "a connection dropped in mid-stream", model: "cut-after-3", status: 502, text: /broke off/, said: true },
  { why: "malformed SSE", model: "malformed", status: 502, text: /broke off: an event of the stream is not JSON/, said: true },
  { why: "an end without a finish", model: "no-finish-3", status: 502, text: /broke off: the stream ended without a finish/, said: true },
  { why: "a 429 in mid-stream", model: "limit-event", status: 502, text: /Slow down/, said: true },
  { why: "an error in mid-stream", model: "error-event", status: 502, text: /The server had an error/, said: true },
]

// Rows R6 and R7 of the list of bad days: each ends once, with its usage, and nothing stays behind.
describe("a provider's fault", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom({ config: { plugins: { "provider-openai": { firstByteMs: 500, idleMs: 500 }, providers: { maxWaitMs: 1_000 } } } })
  })
  after(() => room.close())

  async function checkStored(user: string, { said, asked, text }: Fault, cause: string) {
    const run = await room.ended(user)
    equal(run.status, "failed")
    match(run.error ?? "", text)
    equal(run.error, cause)
    const { promptTokens = 0, completionTokens = 0, estimated } = run.usage ?? {}
    deepEqual([promptTokens > 0, completionTokens > 0, estimated === true], [Boolean(said || asked), Boolean(said), Boolean(said || asked)], JSON.stringify(run.usage))
  }

  for (const fault of faults) {
    const { why, model, status, text, said, attempts = 1, retryAfter } = fault

    it(`${why} ends a stream with its reason`, async () => {
      const user = `sse ${model}`
      const openai = await room.openai(user, model)
      const before = room.upstream.requests.length
      let content = ""
      const error = await (async () => {
        const stream = await openai.chat.completions.create({ model: "agent:default", messages: [{ role: "user", content: "hello there" }], stream: true })
        for await (const { choices } of stream) content += choices[0]?.delta.content ?? ""
      })().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      ok(error instanceof OpenAI.APIError, `${error}`)
      match(error.message, text)
      // Once something was said, the status is 200 and the error the last event.
      equal(error.status, said ? undefined : status)
      equal(content.startsWith("word0"), Boolean(said))
      if (status >= 500) deepEqual([error.type, error.code], ["server_error", "internal_error"])
      if (retryAfter) equal(error.headers?.get("retry-after"), retryAfter)
      equal(room.upstream.requests.length - before, attempts)
      await checkStored(user, fault, error.message.replace(/^\d{3} /, ""))
    })

    it(`${why} ends a run of the socket with its reason, and the session takes the next message`, async () => {
      const user = `ws ${model}`
      const client = await (await room.user(user)).rpc()
      const sessionKey = `agent:default:ws:direct:${randomUUID()}`
      const { error } = await client.request("chat.send", { sessionKey, message: "hello there", stream: true, modelOverride: model })
      equal(error?.code, "INTERNAL")
      match(error?.message ?? "", text)
      const told = client.events.filter(({ payload }) => payload.sessionKey === sessionKey).map(({ payload }) => payload)
      deepEqual(
        told.filter(({ type }) => /^run\.(completed|failed|cancelled)$/.test(type)).map(({ type, payload }) => [type, payload]),
        [["run.failed", { error: error?.message }]],
      )
      equal(told.at(-1)?.type, "run.failed")
      equal(told.filter(({ type }) => type === "run.retrying").length, attempts - 1)
      await checkStored(user, fault, error?.message ?? "")
      deepEqual(await client.call("chat.session.status", { sessionKey }), { isRunning: false, runId: "", activity: null })
      equal((await client.call("chat.send", { sessionKey, message: "and now?", modelOverride: "words-2" })).content, "word0 word1")
      const { messages } = await client.call("chat.history", { sessionKey })
      deepEqual(
        messages.map(({ role }: { role: string }) => role),
        said ? ["user", "assistant", "user", "assistant"] : ["user", "user", "assistant"],
      )
    })
  }

  it("before the answer is mended by another attempt where it passes, and told", async () => {
    let calls = 0
    room.upstream.script((_, reply) => {
      calls += 1
      if (calls < 3) reply.json(429, '{"error":{"message":"Slow down.","type":"requests"}}', { "retry-after-ms": "20" })
      else reply.json(200, '{"choices":[{"message":{"content":"Now."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}')
    })
    const client = await (await room.user("mended")).rpc()
    equal((await client.call("chat.send", { message: "hello" })).content, "Now.")
    room.upstream.script(undefined)
    deepEqual(
      client.events.filter(({ payload }) => payload.type === "run.retrying").map(({ payload }) => [payload.payload.attempt, payload.payload.maxAttempts]),
      [
        ["1", "3"],
        ["2", "3"],
      ],
    )
    deepEqual((await room.ended("mended")).usage, { promptTokens: 3, completionTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 })
  })

  it("that repeats the key tells it to nobody", async () => {
    const openai = await room.openai("curious", "tells-key")
    const error = await openai.chat.completions.create({ model: "agent:default", messages: [{ role: "user", content: "hello" }] }).catch((thrown: unknown) => thrown)
    ok(error instanceof OpenAI.APIError)
    const { error: stored } = await room.ended("curious")
    for (const text of [error.message, stored ?? "", ...room.gateway.logs]) equal(text.includes(upstreamKey), false, text)
  })

  it("leaves nothing under way", async () => {
    deepEqual((await room.gateway.executeSql("SELECT 1 FROM sessions.runs WHERE status IN ('running', 'queued')")).rows, [])
    deepEqual((await room.gateway.executeSql("SELECT 1 FROM sessions.sessions WHERE active_run IS NOT NULL")).rows, [])
  })
})
