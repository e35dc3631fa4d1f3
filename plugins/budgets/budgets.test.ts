import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import type { TestClient } from "@plugboard/sdk/testing"
import OpenAI from "openai"
import { type ChatRoom, chatRoom, upstreamKey } from "../../test/chat-room.ts"
import { chunk, event, usageChunk } from "../../test/upstream/bytes.ts"
import { spanOf } from "./period.ts"

const messages = [{ role: "user" as const, content: "hello there" }]
/** 20 tokens asked and 10 said, at 1,000 USD a million each. */
const costOfTen = 0.03
const isRefused = (code: string) => (error: unknown) => error instanceof OpenAI.APIError && error.status === 429 && error.code === code

describe("budgets", () => {
  let room: ChatRoom
  before(async () => {
    room = await chatRoom({ config: { plugins: { budgets: { leaseSeconds: 3, assumedOutputTokens: 10 } } } })
  })
  after(() => room.close())

  /** A tenant with the provider `up`, whose models all cost the same. */
  async function tenant(slug: string): Promise<TestClient> {
    const admin = await room.gateway.as("admin", slug, "boss")
    await admin.post("/v1/providers", { name: "up", provider_type: "openai_compat", api_base: room.upstream.url, api_key: upstreamKey })
    for (const model of ["words-10", "hang-after-10", "hang-after-40"]) await admin.post("/v1/prices", { model, input_usd: 1_000, output_usd: 1_000 })
    return admin
  }
  const openai = ({ key }: TestClient) => new OpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: key, maxRetries: 0 })
  const ask = (client: TestClient, model = "words-10") => openai(client).chat.completions.create({ model: `up/${model}`, messages, max_tokens: 10 })
  const set = async (admin: TestClient, budget: object) => (await admin.post("/v1/budgets", { period: "day", ...budget })).body
  const standing = async (admin: TestClient, id: string) => (await admin.get(`/v1/budgets/${id}`)).body
  async function settled(admin: TestClient, id: string) {
    for (;;) {
      const budget = await standing(admin, id)
      if (!(budget.reserved_usd || budget.reserved_tokens) && (budget.spent_usd || budget.spent_tokens)) return budget
      await sleep(20)
    }
  }

  it("are set, shown, changed and removed by admins, and audited", async () => {
    const admin = await tenant("crud")
    const made = await set(admin, { scope: "user", subject: "ann", limit_usd: 2.5, name: "Ann", time_zone: "Asia/Ho_Chi_Minh" })
    deepEqual(
      [made.scope, made.subject, made.period, made.limit_usd, made.spent_usd, made.remaining_usd, made.enforcement, made.warn_percent, made.enabled, made.of_agent],
      ["user", "ann", "day", 2.5, 0, 2.5, "hard", 80, true, false],
    )
    match(made.period_start, /T17:00:00Z$/)
    const socket = await admin.rpc()
    const changed = await socket.call("budgets.update", { id: made.id, limit_usd: 3, enforcement: "soft" })
    deepEqual([changed.limit_usd, changed.enforcement, changed.name], [3, "soft", "Ann"])
    deepEqual((await admin.get("/v1/budgets")).body.budgets, [changed])
    equal((await room.gateway.as("operator", "crud").get("/v1/budgets")).status, 403)
    deepEqual(await socket.call("budgets.delete", { id: made.id }), { status: "deleted" })
    equal((await admin.get(`/v1/budgets/${made.id}`)).status, 404)
    const { rows } = await room.gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [made.id])
    deepEqual(
      rows.map(({ action }) => action),
      ["budget.created", "budget.updated", "budget.deleted"],
    )
  })

  it("that make no sense are refused", async () => {
    const admin = await room.gateway.as("admin", "crud", "boss")
    for (const [budget, status] of [
      [{ scope: "tenant" }, 400],
      [{ scope: "tenant", limit_usd: 1, limit_tokens: 1 }, 400],
      [{ scope: "tenant", subject: "ann", limit_usd: 1 }, 400],
      [{ scope: "user", limit_usd: 1 }, 400],
      [{ scope: "agent", subject: "nobody", limit_usd: 1 }, 404],
      [{ scope: "key", subject: "nothing", limit_usd: 1 }, 404],
      [{ scope: "tenant", limit_usd: 1, time_zone: "Moon/Base" }, 400],
    ] as const)
      equal((await admin.post("/v1/budgets", { period: "day", ...budget })).status, status, JSON.stringify(budget))
  })

  it("of a tenant hold there and nowhere else, over each route, until the period ends", async () => {
    const [a, b] = [await tenant("tenant-a"), await tenant("tenant-b")]
    const { id } = await set(a, { scope: "tenant", limit_usd: costOfTen })
    await ask(a)
    const { spent_usd, remaining_usd, period_end } = await settled(a, id)
    deepEqual([spent_usd, remaining_usd], [costOfTen, 0])
    const error = await ask(a).then(
      () => undefined,
      (refusal: InstanceType<typeof OpenAI.APIError>) => refusal,
    )
    deepEqual([error?.status, error?.type, error?.code], [429, "insufficient_quota", "insufficient_quota"])
    const wait = Number(error?.headers?.get("retry-after"))
    ok(Math.abs(wait * 1_000 - (Date.parse(period_end) - Date.now())) < 5_000, `${wait} s`)
    const anthropic = await a.post("/v1/messages", { model: "up/words-10", max_tokens: 10, messages })
    deepEqual([anthropic.status, anthropic.body.error.type], [429, "rate_limit_error"])
    const responses = await a.post("/v1/responses", { model: "up/words-10", input: "hello" })
    deepEqual([responses.status, responses.body.error.code], [429, "insufficient_quota"])
    const vectors = await a.post("/v1/embeddings", { model: "up/words-10", input: "hello" })
    deepEqual([vectors.status, vectors.body.error.code], [429, "insufficient_quota"])
    const agent = await a.post("/v1/chat/completions", { model: "agent:default", messages })
    deepEqual([agent.status, agent.body.error.code], [429, "insufficient_quota"])
    const socket = await (await a.rpc()).request("chat.send", { message: "hello" })
    equal(socket.error?.code, "INTERNAL")
    match(socket.error?.message ?? "", /0\.03 USD of 0\.03 USD/)
    await ask(b)
    equal((await b.get("/v1/budgets")).body.budgets.length, 0)
    equal((await b.get(`/v1/budgets/${id}`)).status, 404)
  })

  it("of a key hold for that key, however it is sent, and `*` for each user by himself", async () => {
    const admin = await tenant("keys")
    const [one, two] = [await room.gateway.as("operator", "keys", "one"), await room.gateway.as("operator", "keys", "two")]
    const { id: keyId } = (await admin.get("/v1/api-keys")).body.find(({ name }: { name: string }) => name === "operator of one")
    const { id } = await set(admin, { scope: "key", subject: keyId, limit_tokens: 30 })
    const each = await set(admin, { scope: "user", subject: "*", limit_tokens: 1_000 })
    await ask(one)
    equal((await settled(admin, id)).spent_tokens, 30)
    await rejects(ask(one), isRefused("insufficient_quota"))
    const headers = { "content-type": "application/json", "x-api-key": one.key, "x-goclaw-user-id": "somebody-else" }
    const body = JSON.stringify({ model: "up/words-10", max_tokens: 10, messages })
    equal((await fetch(`${room.gateway.url}/v1/messages`, { method: "POST", headers, body })).status, 429)
    await ask(two)
    const spending = async () => (await admin.get(`/v1/budgets/${each.id}/spending`)).body.spending
    while ((await spending()).some(({ reserved_tokens }: { reserved_tokens: number }) => reserved_tokens > 0)) await sleep(20)
    deepEqual(
      (await spending()).map(({ subject, spent_tokens, remaining_tokens }: Record<string, unknown>) => [subject, spent_tokens, remaining_tokens]),
      [
        ["one", 30, 970],
        ["two", 30, 970],
      ],
    )
    const { budgets } = (await two.get("/v1/budgets/mine")).body
    deepEqual(
      budgets.map(({ scope, remaining_tokens }: Record<string, unknown>) => [scope, remaining_tokens]),
      [["user", 970]],
    )
  })

  it("that are soft let calls through, and warn admins once a period", async () => {
    const admin = await tenant("soft")
    const socket = await admin.rpc()
    const { id } = await set(admin, { scope: "tenant", limit_usd: costOfTen, enforcement: "soft", warn_percent: 100 })
    for (let call = 1; call <= 3; call += 1) {
      const { response } = await ask(admin).withResponse()
      equal(response.headers.get("x-budget-warning"), call === 1 ? null : `tenant day ${(call - 1) * 100}%`)
      while ((await standing(admin, id)).spent_usd < call * costOfTen - 1e-9) await sleep(20)
    }
    await socket.next("budgets.warned", (event) => event.budgetId === id)
    const warnings = socket.events.filter(({ event }) => event === "budgets.warned")
    deepEqual(
      warnings.map(({ payload }) => [payload?.scope, payload?.percent, payload?.enforcement]),
      [["tenant", 100, "soft"]],
    )
  })

  it("of an agent are its `budget_monthly_cents`, and count its runs alone", async () => {
    const admin = await tenant("agents")
    const { body: agent } = await admin.post("/v1/agents", { name: "spender", provider: "up", model: "words-10", agent_type: "open", budget_monthly_cents: 3 })
    const run = () => openai(admin).chat.completions.create({ model: "agent:spender", messages })
    await run()
    await ask(admin)
    const own = async () => (await admin.get("/v1/budgets")).body.budgets.find((budget: { id: string }) => budget.id === agent.id)
    while ((await own()).reserved_usd > 0) await sleep(20)
    deepEqual((({ of_agent, agent_key, limit_usd, spent_usd, period }) => [of_agent, agent_key, limit_usd, spent_usd, period])(await own()), [
      true,
      "spender",
      0.03,
      costOfTen,
      "month",
    ])
    await rejects(run(), isRefused("insufficient_quota"))
    await admin.put("/v1/agents/spender", { budget_monthly_cents: null })
    await run()
  })

  it("in money refuse a model that nobody has a price for, and those in tokens do not", async () => {
    const admin = await tenant("unpriced")
    await set(admin, { scope: "tenant", limit_tokens: 10_000 })
    await ask(admin, "words-11")
    await set(admin, { scope: "tenant", limit_usd: 100 })
    await rejects(ask(admin, "words-11"), (error: unknown) => error instanceof OpenAI.APIError && error.status === 422 && /up\/words-11/.test(error.message))
  })

  it("cut a stream off where it grows out of what there is room for", async () => {
    const admin = await tenant("growing")
    const { id } = await set(admin, { scope: "tenant", limit_tokens: 70 })
    const abort = new AbortController()
    const hanging = await openai(admin).chat.completions.create({ model: "up/hang-after-10", messages, stream: true, max_tokens: 10 }, { signal: abort.signal })
    const reading = (async () => {
      for await (const _ of hanging);
    })().catch(() => undefined)
    // It has set aside 10 tokens for an answer that has 40; the other call has nearly all that is left.
    await rejects(async () => {
      for await (const _ of await openai(admin).chat.completions.create({ model: "up/hang-after-40", messages, stream: true }));
    }, isRefusedInStream)
    abort.abort()
    await reading
    const { spent_tokens } = await settled(admin, id)
    ok(spent_tokens > 40 && spent_tokens <= 70, `${spent_tokens}`)

    function isRefusedInStream(error: unknown): boolean {
      return error instanceof OpenAI.APIError && /set aside for calls under way/.test(error.message)
    }
  })

  describe("for answers that come whole, and calls that do not limit them", () => {
    /** The provider says as much as it is let, and 500 tokens otherwise. */
    const asked: Record<string, unknown>[] = []
    before(() =>
      room.upstream.script(async ({ body }, reply) => {
        const { model, stream, n = 1, max_tokens: limit = 500 } = body as { model: string; stream?: boolean; n?: number; max_tokens?: number }
        asked.push(body as Record<string, unknown>)
        const usage = { prompt_tokens: 5, completion_tokens: limit * n, total_tokens: 5 + limit * n }
        const choices = Array.from({ length: n }, (_, index) => ({ index, message: { role: "assistant", content: "w ".repeat(limit) }, finish_reason: "length" }))
        await sleep(50)
        if (!stream) return reply.json(200, JSON.stringify({ id: "c", object: "chat.completion", created: 1, model, choices, usage }))
        reply.start(Array.from({ length: limit }, () => event(chunk(model, { content: "word" }))))
        reply.start([chunk(model, {}, "stop"), usageChunk(model, usage), "[DONE]"].map(event)).end()
      }),
    )
    after(() => room.upstream.script(undefined))
    const passed = (admin: TestClient, more: object = {}) =>
      openai(admin).chat.completions.create({ model: "up/words-10", messages, ...more } as OpenAI.ChatCompletionCreateParamsNonStreaming)

    it("have the provider end them at what is set aside, where they are hard", async () => {
      const admin = await tenant("whole")
      const { id } = await set(admin, { scope: "tenant", limit_tokens: 100_000 })
      asked.length = 0
      for (const more of [{}, { n: 2 }, { max_tokens: 7 }]) await passed(admin, more)
      deepEqual(
        asked.map(({ max_tokens }) => max_tokens),
        [10, 5, 7],
      )
      await admin.put(`/v1/budgets/${id}`, { enforcement: "soft" })
      await passed(admin)
      equal(asked.at(-1)?.max_tokens, undefined)
    })

    it("ask for a stream where it is not passed on as it came", async () => {
      const admin = await tenant("agents")
      await set(admin, { scope: "tenant", limit_tokens: 100_000 })
      asked.length = 0
      await admin.post("/v1/agents", { agent_key: "talker", provider: "up", model: "words-10" })
      const { body } = await admin.post("/v1/chat/completions", { model: "agent:talker", messages })
      deepEqual([asked[0]?.stream, asked[0]?.max_tokens, body.usage.completion_tokens], [true, undefined, 500])
    })

    it("spend no more than one call beyond, however many come at once", async () => {
      const admin = await tenant("crowd")
      const { id } = await set(admin, { scope: "tenant", limit_tokens: 200 })
      await Promise.allSettled(Array.from({ length: 60 }, (_, at) => passed(admin, at % 3 === 0 ? { n: 3 } : {})))
      const { spent_tokens } = await settled(admin, id)
      ok(spent_tokens > 0 && spent_tokens < 200 + 15, `${spent_tokens}`)
    })
  })

  it("count a call whose gateway has died as what it had set aside", async () => {
    const admin = await tenant("dead")
    const { id } = await set(admin, { scope: "tenant", limit_usd: 100 })
    const abort = new AbortController()
    const hanging = await openai(admin).chat.completions.create({ model: "up/hang-after-10", messages, stream: true, max_tokens: 10 }, { signal: abort.signal })
    const { reserved_usd } = await standing(admin, id)
    ok(reserved_usd > 0.01)
    await room.gateway.executeSql("UPDATE budgets.reservations SET node = 'gone', boot = 'gone', lease_until = now() WHERE budget_id = $1", [id])
    const { spent_usd } = await settled(admin, id)
    equal(spent_usd, reserved_usd)
    abort.abort()
    for await (const _ of hanging);
    // What it says after that is counted already.
    await sleep(100)
    equal((await standing(admin, id)).spent_usd, spent_usd)
  })

  it("begin and end at midnight where they are, also when the clocks change", () => {
    const at = (text: string) => Date.parse(text)
    deepEqual(spanOf("day", "Europe/Berlin", at("2026-10-25T12:00:00Z")), { starts: "2026-10-24T22:00:00Z", ends: "2026-10-25T23:00:00Z" })
    deepEqual(spanOf("month", "UTC", at("2026-02-28T23:59:59Z")), { starts: "2026-02-01T00:00:00Z", ends: "2026-03-01T00:00:00Z" })
    deepEqual(spanOf("month", "America/Los_Angeles", at("2026-03-01T03:00:00Z")), { starts: "2026-02-01T08:00:00Z", ends: "2026-03-01T08:00:00Z" })
  })
})
