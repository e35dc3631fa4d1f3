import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import OpenAI from "openai"
import { type ChatRoom, chatRoom, upstreamKey } from "../../test/chat-room.ts"
import { chunk, event, failure, usageChunk, usageOf } from "../../test/upstream/bytes.ts"

const messages = [{ role: "user" as const, content: "hello there" }]

describe("passthrough", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom()
  })
  after(() => room.close())
  afterEach(() => room.upstream.script(undefined))

  /** The records of a user's calls, once there are as many. */
  async function calls(user: string, count = 1) {
    for (;;) {
      const { rows } = await room.gateway.executeSql("SELECT channel, provider, model, status, usage, error FROM passthrough.calls WHERE user_id = $1 ORDER BY started_at", [user])
      if (rows.length >= count) return rows as { channel: string; provider: string; model: string; status: string; usage: Record<string, unknown>; error: string | null }[]
      await sleep(20)
    }
  }

  it("keeps every member of a request and every byte of an answer", async () => {
    const client = await room.user("whole")
    const body = {
      model: "upstream/some/model",
      messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "AA==", format: "wav" } }], x_own: 1 }],
      tools: [{ type: "function", function: { name: "look", strict: true, parameters: { type: "object", properties: { q: { default: null } } } } }],
      tool_choice: "required",
      response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } },
      logprobs: true,
      top_logprobs: 2,
      n: 2,
      seed: 7,
      stop: null,
      x_unknown: { deep: [null] },
    }
    const answer = `{"id":"x", "choices": [ {"index":0,"message":{"role":"assistant","content":"a"},"logprobs":{"content":[]}},{"index":1}],"usage":{"prompt_tokens":3,"completion_tokens":4},"x_own":1.0}`
    room.upstream.script((_, reply) => reply.json(200, answer))
    const response = await client.fetch("/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
    equal(await response.text(), answer)
    const { body: sent, headers } = room.upstream.requests.at(-1) ?? {}
    deepEqual(sent, { ...body, model: "some/model" })
    equal(headers?.authorization, `Bearer ${upstreamKey}`)
  })

  it("streams a provider's own events, without the usage that the client did not ask for, and records it", async () => {
    const client = await room.user("stream")
    const events = [chunk("m", { content: "one\r\n" }), chunk("m", { content: '"usage":{' }), chunk("m", {}, "stop")].map(event)
    const told = [...events, event(usageChunk("m", usageOf(9, 2))), event("[DONE]")].join("")
    room.upstream.script((_, reply) => reply.start(told).end())
    const ask = async (more: object) => {
      const body = JSON.stringify({ model: "upstream/m", messages, stream: true, ...more })
      return (await client.fetch("/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body })).text()
    }
    equal(await ask({}), [...events, event("[DONE]")].join(""))
    equal(await ask({ stream_options: { include_usage: true } }), told)
    for (const { usage, status } of await calls("stream", 2)) deepEqual([usage.promptTokens, usage.completionTokens, status], [9, 2, "completed"])
  })

  for (const model of ["crlf", "split", "tool-split", "many-lines"]) {
    it(`passes the bytes of ${model} whole`, async () => {
      const openai = await room.openai("odd")
      let said = ""
      for await (const { choices } of await openai.chat.completions.create({ model: `upstream/${model}`, messages, stream: true })) {
        said += choices?.[0]?.delta?.content ?? choices?.[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? ""
      }
      ok(said.length > 0)
    })
  }

  it("is stateless: no session and no run, but a record", async () => {
    const openai = await room.openai("stateless")
    const { response } = await openai.chat.completions.create({ model: "upstream/words-5", messages }).withResponse()
    match(response.headers.get("x-run-id") ?? "", /^[0-9a-f-]{36}$/)
    const [call] = await calls("stateless")
    const { usage, ...facts } = call ?? {}
    deepEqual(facts, { channel: "chat/completions", provider: "upstream", model: "words-5", status: "completed", error: null })
    deepEqual([usage?.promptTokens, usage?.completionTokens], [20, 5])
    deepEqual(await room.runs("stateless"), [])
  })

  it("means an agent by every other text, and where a header names one", async () => {
    const openai = await room.openai("agent", "words-2")
    for (const model of ["nobody/words-5", "words-5", "agent:default"])
      equal((await openai.chat.completions.create({ model, messages })).choices[0]?.message.content, "word0 word1")
    const named = await openai.chat.completions.create({ model: "upstream/words-5", messages }, { headers: { "x-goclaw-agent-id": "default" } })
    equal(named.choices[0]?.message.content, "word0 word1")
  })

  it("refuses a provider that is disabled, and asks no other tenant's", async () => {
    const admin = await room.gateway.as("admin", "own")
    await admin.post("/v1/providers", { name: "off", provider_type: "openai_compat", api_base: room.upstream.url, api_key: "k", enabled: false })
    const answer = await admin.post("/v1/chat/completions", { model: "off/words-5", messages })
    deepEqual([answer.status, answer.body.error.code], [404, "model_not_found"])
    const before = room.upstream.requests.length
    const foreign = await admin.post("/v1/chat/completions", { model: "upstream/words-5", messages })
    // No provider of that name: the text means the default agent, which asks the tenant's own.
    deepEqual([foreign.status, room.upstream.requests.length], [503, before])
  })

  describe("when a provider fails", () => {
    const fail = async (user: string, model: string, stream = false) => {
      const openai = await room.openai(user)
      return (await openai.chat.completions.create({ model: `upstream/${model}`, messages, stream }).then(
        () => undefined,
        (error: unknown) => error,
      )) as InstanceType<typeof OpenAI.APIError>
    }

    for (const [model, status, type] of [
      ["status-400", 400, OpenAI.BadRequestError],
      ["status-401", 502, OpenAI.InternalServerError],
      ["status-404", 404, OpenAI.NotFoundError],
      ["status-422", 422, OpenAI.UnprocessableEntityError],
      ["limited-3", 429, OpenAI.RateLimitError],
      ["status-500", 502, OpenAI.InternalServerError],
      ["status-529", 503, OpenAI.InternalServerError],
      ["html", 502, OpenAI.InternalServerError],
      ["not-json", 502, OpenAI.InternalServerError],
      ["too-long", 400, OpenAI.BadRequestError],
    ] as const) {
      for (const stream of model === "not-json" ? [false] : [false, true]) {
        it(`answers ${model} with ${status}, in its own words${stream ? ", also where a stream was asked for" : ""}`, async () => {
          const error = await fail("fails", model, stream)
          ok(error instanceof type, String(error))
          equal(error.status, status)
          ok(error.message.length > 5)
        })
      }
    }

    it("keeps its error object and its Retry-After", async () => {
      room.upstream.script((_, reply) => reply.json(400, failure("Bad tools.", "invalid_request_error", "bad_tools").replace('"param":null', '"param":"tools"'), {}))
      const error = await fail("object", "m")
      deepEqual([error.param, error.code, error.type], ["tools", "bad_tools", "invalid_request_error"])
      room.upstream.script(undefined)
      equal((await fail("object", "limited-3")).headers?.get("retry-after"), "3")
      deepEqual(
        (await calls("object", 2)).map(({ status, error: why, usage }) => [status, why, usage.promptTokens]),
        [
          ["failed", "status 400", 0],
          ["failed", "status 429", 0],
        ],
      )
    })

    it("never tells its key, neither in an error nor in a stream", async () => {
      const error = await fail("key", "tells-key")
      match(error.message, /\*\*\*/)
      room.upstream.script((_, reply) => reply.start(event(JSON.stringify({ error: { message: `Bad key ${upstreamKey}` } }))).end())
      const body = JSON.stringify({ model: "upstream/m", messages, stream: true })
      const text = await (await (await room.user("key")).fetch("/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body })).text()
      match(text, /Bad key \*\*\*/)
      ok(!JSON.stringify([room.gateway.logs, error.message]).includes(upstreamKey))
    })

    it("tells a stream that broke as an error in it, and estimates what it cost", async () => {
      const openai = await room.openai("broken")
      let said = ""
      await rejects(async () => {
        for await (const { choices } of await openai.chat.completions.create({ model: "upstream/cut-after-3", messages, stream: true })) said += choices[0]?.delta.content ?? ""
      }, OpenAI.APIError)
      equal(said, "word0 word1 word2")
      const [call] = await calls("broken")
      deepEqual([call?.status, call?.error, call?.usage.completionTokens, call?.usage.estimated], ["failed", "provider-openai.provider_broken_stream", 3, true])
    })
  })

  for (const stream of [false, true]) {
    it(`ends the upstream call when the client leaves ${stream ? "a stream" : "before the answer"}, and records it`, async () => {
      const user = `leaver-${stream}`
      const openai = await room.openai(user)
      const abort = new AbortController()
      const before = room.upstream.requests.length
      const asked = openai.chat.completions.create({ model: stream ? "upstream/paced-2000-20" : "upstream/hang", messages, stream }, { signal: abort.signal })
      asked.catch(() => undefined)
      if (stream) {
        let chunks = 0
        for await (const _ of (await asked) as AsyncIterable<unknown>) if (++chunks === 5) break
      } else while (room.upstream.requests.length === before) await sleep(5)
      abort.abort()
      equal(await room.upstream.requests[before]?.closed, true)
      const [call] = await calls(user)
      deepEqual([call?.status, call?.usage.estimated], ["cancelled", true])
    })
  }

  it("lists agents under both names and each provider's models; one that fails hides nobody else", async () => {
    const tenant = await room.gateway.as("admin", "lists")
    const make = (name: string, base: string) => tenant.post("/v1/providers", { name, provider_type: "openai_compat", api_base: base, api_key: "k" })
    await make("good", room.upstream.url)
    await make("gone", "http://127.0.0.1:9/v1")
    await tenant.post("/v1/agents", { name: "helper", provider: "good", model: "echo", agent_type: "open" })
    const ids = (await tenant.get("/v1/models")).body.data.map(({ id }: { id: string }) => id)
    for (const id of ["goclaw:helper", "agent:helper", "good/words-50", "good/gpt-4o"]) ok(ids.includes(id), id)
    ok(!ids.some((id: string) => id.startsWith("gone/")))
  })

  describe("to a provider of another kind", () => {
    it("answers in OpenAI's format, whole and in a stream", async () => {
      const admin = await room.gateway.as("admin", "kinds", "kinds")
      await admin.post("/v1/providers", { name: "own-words", provider_type: "loopback" })
      const ask = (more: object) => ({ model: "own-words/loopback-1", messages: [{ role: "user" as const, content: "/say one two" }], ...more })
      const openai = new OpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: admin.key, maxRetries: 0 })
      const whole = await openai.chat.completions.create({ ...ask({}), stream: false })
      deepEqual([whole.object, whole.choices[0]?.message.role, whole.choices[0]?.finish_reason], ["chat.completion", "assistant", "stop"])
      ok((whole.usage?.total_tokens ?? 0) > 0)
      let said = ""
      let usage: unknown
      const stream = await openai.chat.completions.create({ ...ask({ stream_options: { include_usage: true } }), stream: true })
      for await (const part of stream) {
        said += part.choices[0]?.delta.content ?? ""
        usage = part.usage ?? usage
      }
      deepEqual([said, usage], [whole.choices[0]?.message.content, whole.usage])
    })

    it("refuses what it cannot say there, and does not leave it out in silence", async () => {
      const admin = await room.gateway.as("admin", "kinds", "kinds")
      const refused = async (more: object) => (await admin.post("/v1/chat/completions", { model: "own-words/loopback-1", messages, ...more })).status
      equal(await refused({ n: 2 }), 400)
      equal(await refused({ messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] }), 400)
    })
  })
})
