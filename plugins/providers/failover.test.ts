import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type RoutingRoom, routingRoom, sayWords, tried } from "../../test/routing-room.ts"
import { chunk, event } from "../../test/upstream/bytes.ts"
import type { Upstream } from "../../test/upstream/openai.ts"

const words3 = "word0 word1 word2"

// Rows R6 to R8 of the list of bad days. What a client sees is one answer, of one provider, or one error.
describe("an agent's chain of providers", () => {
  let room: RoutingRoom
  let first: Upstream
  let second: Upstream
  let third: Upstream
  const other = { provider: "second", model: "words-3" }
  before(async () => {
    room = await routingRoom({ config: { plugins: { providers: { maxWaitMs: 1_000, firstTokenMs: 400, breakAfter: 1_000 }, "provider-openai": { idleMs: 400 } } } })
    first = await room.provider("first")
    second = await room.provider("second", { settings: { default_model: "words-2" } })
    third = await room.provider("third")
  })
  after(() => room.close())
  beforeEach(() => {
    room.failures.length = 0
    room.recover(undefined)
    for (const { requests } of [first, second, third]) requests.length = 0
  })

  async function chain(key: string, model: string, candidates: readonly { provider: string; model?: string }[] = [other]) {
    await room.agent(key, { provider: "first", model }, candidates)
    return room.ask(key, key)
  }

  it("answers in one piece when the first fails, and its record names both", async () => {
    const { text, error } = await chain("plain", "status-400")
    deepEqual([text, error], [words3, undefined])
    const run = await room.ended("plain")
    deepEqual(tried(run), ["first/status-400 provider_bad_request", "second/words-3"])
    deepEqual([run.status, run.provider, run.model], ["completed", "second", "words-3"])
    match(run.attempts[0]?.reason ?? "", /the model says 400/)
    ok(run.attempts.every(({ ms, iteration }) => ms >= 0 && iteration === 1))
    deepEqual(run.attempts[1]?.usage, run.usage)
  })

  it("passes over a provider that is unknown, and asks one without a model for its default", async () => {
    equal((await chain("unknown", "status-400", [{ provider: "nobody" }, { provider: "second" }])).text, "word0 word1")
    deepEqual(tried(await room.ended("unknown")), ["first/status-400 provider_bad_request", "nobody/ unknown_provider", "second/words-2"])
  })

  it("goes on with another provider when a stream breaks before its first token", async () => {
    first.script((_, reply) => {
      reply.start(event(chunk("m", { role: "assistant", content: "" })))
      setTimeout(() => reply.destroy(), 20)
    })
    const { text, chunks, error } = await chain("begun", "any")
    first.script(undefined)
    deepEqual([text, error], [words3, undefined])
    // The role, three words and the end: nothing of the broken ones.
    equal(chunks, 5)
    const run = await room.ended("begun")
    deepEqual(tried(run), [...Array(3).fill("first/any provider_broken_stream"), "second/words-3"])
    // Each of the three was at work, and bills what it read.
    ok(run.attempts.slice(0, 3).every(({ usage }) => usage?.estimated && usage.promptTokens > 0 && usage.completionTokens === 0))
    equal(
      run.usage.promptTokens,
      run.attempts.reduce((sum, { usage }) => sum + (usage?.promptTokens ?? 0), 0),
    )
  })

  it("goes on when a tool call breaks off, which nobody has seen", async () => {
    first.script((_, reply) => {
      reply.start(event(chunk("m", { tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "datetime", arguments: '{"tz":' } }] })))
      setTimeout(() => reply.destroy(), 20)
    })
    equal((await chain("half-call", "any")).text, words3)
    first.script(undefined)
    equal((await room.ended("half-call")).attempts.at(-1)?.provider, "second")
  })

  it("leaves a provider that wants a long wait at once, and passes over it while it rests", async () => {
    equal((await chain("long", "limited-30")).text, words3)
    const run = await room.ended("long")
    deepEqual(tried(run), ["first/limited-30 provider_rate_limited", "second/words-3"])
    equal(run.attempts[0]?.retryAfterMs, 30_000)
    await room.ask("long", "long")
    deepEqual(tried(await room.ended("long")), ["first/limited-30 provider_resting", "second/words-3"])
    equal(first.requests.length, 1)
  })

  it("waits for a provider that wants a short wait", async () => {
    let calls = 0
    first.script((_, reply) => {
      calls += 1
      if (calls > 1) sayWords(reply, 3)
      else reply.json(429, '{"error":{"message":"Slow down."}}', { "retry-after-ms": "300" })
    })
    const began = performance.now()
    equal((await chain("short", "any")).text, words3)
    first.script(undefined)
    ok(performance.now() - began >= 300)
    deepEqual(tried(await room.ended("short")), ["first/any provider_rate_limited", "first/any"])
    equal(second.requests.length, 0)
  })

  it("asks again after a 500", async () => {
    let calls = 0
    first.script((_, reply) => {
      calls += 1
      if (calls > 1) sayWords(reply, 3)
      else reply.json(500, '{"error":{"message":"Oops."}}')
    })
    equal((await chain("oops", "any")).text, words3)
    first.script(undefined)
    deepEqual(tried(await room.ended("oops")), ["first/any provider_overloaded", "first/any"])
  })

  it("ends an endless 429 after as many attempts as the settings say", async () => {
    const { error } = await chain("endless", "limited-ms-5", [{ provider: "second", model: "limited-ms-5" }])
    equal(error?.status, 502)
    deepEqual([first.requests.length, second.requests.length], [3, 3])
    equal((await room.ended("endless")).attempts.length, 6)
  })

  it("does not wait longer than the first token may take", async () => {
    equal((await chain("hang", "hang")).text, words3)
    const run = await room.ended("hang")
    deepEqual(tried(run), ["first/hang provider_timeout", "second/words-3"])
    match(run.attempts[0]?.reason ?? "", /first took too long: no token within 400 ms/)
    ok(run.attempts[0]?.usage?.estimated)
    // The call that nobody waits for any more has ended.
    equal(await first.requests[0]?.closed, true)
  })

  it("ends with the error of a stream that was cut behind its first token, asks nobody again, and counts it", async () => {
    const { text, error } = await chain("cut", "cut-after-3")
    equal(text, words3)
    match(error?.message ?? "", /broke off/)
    deepEqual([first.requests.length, second.requests.length], [1, 0])
    const run = await room.ended("cut")
    deepEqual([run.status, tried(run)], ["failed", ["first/cut-after-3 provider_broken_stream"]])
    ok(run.usage.estimated && run.usage.completionTokens > 0)
    deepEqual(run.attempts[0]?.usage, run.usage)
    deepEqual(
      room.failures.map(({ error: name, begun, provider }) => [name, begun, provider]),
      [["provider_broken_stream", true, "first"]],
    )
  })

  it("does not ask others for what a provider's policy forbids", async () => {
    equal((await chain("filtered", "filtered")).error?.status, 400)
    equal(second.requests.length, 0)
  })

  it("says in one error who was tried, without a key", async () => {
    const candidates = [
      { provider: "second", model: "tells-key" },
      { provider: "third", model: "limited-20" },
    ]
    const { error } = await chain("nobody", "status-400", candidates)
    equal(error?.status, 502)
    match(
      error?.message ?? "",
      /No provider has given an answer. Tried: first\/status-400: the model says 400; second\/tells-key: .*\*\*\*.*; third\/limited-20: Rate limit reached\./,
    )
    equal(error?.headers?.get("retry-after"), "20")
    const run = await room.ended("nobody")
    for (const text of [error?.message ?? "", JSON.stringify(run), JSON.stringify(room.failures)]) equal(text.includes("sk-second"), false)
    deepEqual(
      room.failures.map(({ provider, model, attempt, error: name, begun }) => [provider, model, attempt, name, begun]),
      [
        ["first", "status-400", 1, "provider_bad_request", false],
        ["second", "tells-key", 2, "provider_auth", false],
        ["third", "limited-20", 3, "provider_rate_limited", false],
      ],
    )
    ok(room.failures.every(({ runId, ms }) => runId !== "" && ms >= 0))
  })

  it("goes where a plugin says, within the same limit", async () => {
    room.recover(({ provider }) => (provider === "first" ? { provider: "third", model: "words-3" } : undefined))
    equal((await chain("recovered", "status-400")).text, words3)
    deepEqual(tried(await room.ended("recovered")), ["first/status-400 provider_bad_request", "third/words-3"])
    room.recover(() => ({ retryInMs: 1 }))
    const { error } = await chain("obstinate", "status-400", [])
    room.recover(undefined)
    ok(error)
    equal((await room.ended("obstinate")).attempts.length, 3)
  })

  it("that was changed while a run is under way counts from the next run on", async () => {
    await room.agent("edited", { provider: "first", model: "paced-5-100" }, [other])
    const under = room.ask("edited", "edited")
    while (first.requests.length === 0) await sleep(10)
    await room.gateway.as("admin").put("/v1/agents/edited", { model: "status-400", model_fallback: { candidates: [{ provider: "third", model: "words-3" }] } })
    equal((await under).text, "word0 word1 word2 word3 word4")
    equal((await room.ask("edited", "edited")).text, words3)
    deepEqual(tried(await room.ended("edited")), ["first/status-400 provider_bad_request", "third/words-3"])
  })

  it("takes turns when it is told to", async () => {
    await room.agent("turns", { provider: "first", model: "words-3" }, [other, { provider: "third", model: "words-3" }], { strategy: "round_robin" })
    for (let call = 0; call < 6; call += 1) await room.ask("turns", "turns")
    deepEqual(
      [first, second, third].map(({ requests }) => requests.length),
      [2, 2, 2],
    )
  })

  it("follows a provider to its new name", async () => {
    await room.agent("renamed", { provider: "first", model: "words-3" }, [{ provider: "third", model: "words-3" }, other])
    await room.gateway.as("admin").put("/v1/providers/third", { name: "third-new" })
    const { model_fallback: fallback } = (await room.gateway.as("admin").get("/v1/agents/renamed")).body
    deepEqual(fallback.candidates, [{ provider: "third-new", model: "words-3" }, other])
    await room.gateway.as("admin").put("/v1/providers/third-new", { name: "third" })
  })

  describe("when the client leaves", () => {
    it("makes no further attempt, and waits for nothing", async () => {
      for (const [key, model] of [
        ["left-hanging", "hang"],
        ["left-waiting", "limited-ms-900"],
      ] as const) {
        await room.agent(key, { provider: "first", model }, [other])
        const leave = new AbortController()
        const before = first.requests.length
        const asked = room.ask(key, key, leave.signal)
        while (first.requests.length === before) await sleep(5)
        // In the wait before the next attempt, for the second of them.
        await sleep(100)
        leave.abort()
        await asked
        const run = await room.ended(key)
        equal(run.status, "cancelled")
        equal(first.requests.length, before + 1)
        await sleep(1_200)
        deepEqual([first.requests.length, second.requests.length], [before + 1, 0])
        // What hung was at work; what was only waited for costs nothing.
        equal(run.usage.promptTokens > 0, key === "left-hanging")
      }
    })

    it("at once, asks nobody", async () => {
      await room.agent("left-at-once", { provider: "first", model: "hang" }, [other])
      for (let round = 0; round < 5; round += 1) {
        const client = await room.gateway.as("admin", "master", `gone-${round}`).rpc()
        const sessionKey = `agent:left-at-once:ws:direct:gone-${round}`
        const sent = client.request("chat.send", { sessionKey, message: "hello" })
        await client.next("agent", ({ type }) => type === "run.started")
        await client.call("chat.abort", { sessionKey })
        await sent
        equal((await room.ended(`gone-${round}`)).status, "cancelled")
      }
    })
  })
})
