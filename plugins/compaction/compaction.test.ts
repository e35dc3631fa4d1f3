import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { defineManifest, definePlugin, Tools } from "@plugboard/sdk"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { startAnthropic } from "../../test/upstream/anthropic.ts"
import { type Format, spoken } from "../../test/upstream/format.ts"
import { openAiFormat, startUpstream, type Upstream } from "../../test/upstream/openai.ts"
import type { Answer, Received, Reply } from "../../test/upstream/server.ts"
import { validForAnthropic, validForOpenAi } from "../../test/upstream/valid-request.ts"

const wordy = "word ".repeat(1_600)
/** Answers each call with 8,000 characters. */
const library = definePlugin(defineManifest({ id: "library", version: "1.0.0", sdk: "^1.0.0", contributes: [Tools] }), (host) => {
  host.contribute(Tools, "look_up", { name: "look_up", description: "Looks up.", parameters: Type.Object({}), risk: "safe", call: async () => ({ content: wordy }) })
  return {}
})

/** What a conversation of 400 turns holds: in each a question, two calls at once, their results, an answer. */
const turns = `
  INSERT INTO sessions.messages (id, tenant_id, session_id, ordinal, role, content, tool_calls, tool_call_id)
  SELECT gen_random_uuid(), $2, $1, (t - 1) * 5 + part, (ARRAY['user', 'assistant', 'tool', 'tool', 'assistant'])[part]::sessions.message_role,
    CASE WHEN part = 2 THEN '' ELSE format('Turn %s, part %s: what was said about the house by the lake, its roof and its garden.', t, part) END,
    CASE WHEN part = 2 THEN jsonb_build_array(jsonb_build_object('id', 'call_' || t || '_a', 'name', 'look_up', 'arguments', '{}'::jsonb), jsonb_build_object('id', 'call_' || t || '_b', 'name', 'look_up', 'arguments', '{}'::jsonb)) END,
    CASE part WHEN 3 THEN 'call_' || t || '_a' WHEN 4 THEN 'call_' || t || '_b' END
  FROM generate_series(1, $3::integer) t, generate_series(1, 5) part`

const unknownModel = JSON.stringify({ type: "error", error: { type: "not_found_error", message: "model: words-5" } })

describe("compaction", () => {
  let gateway: TestGateway
  let openai: Upstream
  let anthropic: Upstream
  let client: RpcClient
  let tenantId: string
  before(async () => {
    openai = await startUpstream()
    anthropic = await startAnthropic()
    gateway = await testGateway({ plugins: [library] })
    const admin = await gateway.as("admin", "master", "root")
    tenantId = admin.tenantId
    await admin.post("/v1/providers", { name: "openai", provider_type: "openai_compat", api_base: openai.url, api_key: "k" })
    await admin.post("/v1/providers", { name: "anthropic", provider_type: "anthropic_native", api_base: anthropic.url, api_key: "k" })
    for (const [agent_key, provider, context_window] of [
      ["small-openai", "openai", 8_000],
      ["small-anthropic", "anthropic", 8_000],
      ["large-openai", "openai", 200_000],
    ] as const)
      equal((await admin.post("/v1/agents", { agent_key, name: agent_key, provider, model: "words-3", context_window })).status, 201)
    client = await admin.rpc()
  })
  after(async () => {
    await gateway.close()
    await Promise.all([openai.close(), anthropic.close()])
  })
  beforeEach(() => {
    for (const upstream of [openai, anthropic]) {
      upstream.script(undefined)
      upstream.requests.length = 0
    }
  })

  /** A session of root's with `count` turns of five messages. */
  async function talked(agent: string, count: number): Promise<string> {
    const [id, key] = [randomUUID(), `agent:${agent}:ws:direct:${randomUUID()}`]
    await gateway.executeSql(
      `INSERT INTO sessions.sessions (id, tenant_id, session_key, agent_key, user_id, channel, chat_id, next_ordinal, message_count) VALUES ($1, $2, $3, $4, 'root', 'ws', 'root', $5::bigint, $5::bigint - 1)`,
      [id, tenantId, key, agent, count * 5 + 1],
    )
    await gateway.executeSql(turns, [id, tenantId, count])
    return key
  }
  const infoOf = async (key: string) => (await client.call("sessions.list", { limit: 200 })).sessions.find((session: { key: string }) => session.key === key)
  const send = (sessionKey: string, message: string) => client.call("chat.send", { sessionKey, message, stream: true })
  const textOf = ({ body }: Received) => JSON.stringify(body)
  const isSummary = (received: Received) => textOf(received).includes("memory of a conversation")
  /** Streams what `answer` says; `undefined`: as ever. */
  const scripted =
    (format: Format, answer: (received: Received) => { text?: string; calls?: string[]; refuse?: "context" | "down" }): Answer =>
    (received: Received, reply: Reply) => {
      const { text = "fine", calls = [], refuse } = answer(received)
      if (refuse === "context") return reply.json(400, format.failure(400, "", "context"))
      if (refuse === "down") return reply.json(400, format.failure(400, "no"))
      const voice = format.voice("m")
      const spent = { prompt: Math.round(textOf(received).length / 4), completion: 2 }
      if (calls.length === 0) return reply.send(200, "text/event-stream", spoken(voice, { texts: [text], finish: "stop", spent }))
      const said = calls.map((id, at) => voice.call(at, id, "look_up") + voice.args(at, "{}")).join("")
      return reply.send(200, "text/event-stream", said + voice.end("tool_calls", spent))
    }

  for (const [agent, upstreamOf, valid] of [
    ["small-openai", () => openai, validForOpenAi],
    ["small-anthropic", () => anthropic, validForAnthropic],
  ] as const) {
    it(`makes 2,000 messages with calls of tools fit into the window of ${agent}, in requests that its provider takes`, async () => {
      const key = await talked(agent, 400)
      const { requests } = upstreamOf()
      await send(key, "And what about the cellar?")
      ok(requests.length >= 2)
      for (const { body } of requests) valid(body)
      const last = requests.at(-1) as Received
      ok(textOf(last).length < 8_000 * 4, `${textOf(last).length} characters`)
      ok(textOf(last).includes("word0 word1 word2") && textOf(last).includes("And what about the cellar?") && textOf(last).includes("Turn 400, part 5"))
      ok(requests.slice(0, -1).every(isSummary) && requests.length <= 9)
      const told = client.events.filter(({ payload }) => payload.sessionKey === key && payload.payload?.phase === "compacting")
      equal(told.length, 1)
      const { summary, messages, hasMore } = await client.call("sessions.preview", { key })
      deepEqual([summary, messages.length, hasMore], ["word0 word1 word2", 2_000, true])
      const info = await infoOf(key)
      deepEqual([info.messageCount, info.compactionCount, info.contextWindow], [2_002, 1, 8_000])
      equal(info.inputTokens, 20 * requests.length)

      // The next turn goes on from there.
      const before = requests.length
      await send(key, "Thanks.")
      equal(requests.length, before + 1)
      valid(requests.at(-1)?.body)
      ok(textOf(requests.at(-1) as Received).includes("word0 word1 word2"))
    })
  }

  it("leaves out the oldest turns when nobody summarizes, and does not ask again at once", async () => {
    const key = await talked("small-openai", 400)
    openai.script(scripted(openAiFormat, (received) => (isSummary(received) ? { refuse: "down" } : {})))
    equal((await send(key, "And the cellar?")).content, "fine")
    equal((await send(key, "And the roof?")).content, "fine")
    deepEqual(openai.requests.map(isSummary), [true, false, false])
    for (const { body } of openai.requests) validForOpenAi(body)
    equal((await infoOf(key)).compactionCount, 0)
  })

  it("tells admins when nobody can summarize until something is changed, and takes that back", async () => {
    const admin = await gateway.as("admin", "master", "root")
    const alert = () => admin.get("/v1/system-configs/alert.background.provider_error")
    const chosen = { provider: "anthropic", model: "words-5" }
    for (const [name, value] of Object.entries(chosen)) await admin.put(`/v1/system-configs/compaction.${name}`, { value })
    anthropic.script((_, reply) => reply.json(404, unknownModel))
    equal((await send(await talked("small-openai", 400), "And the cellar?")).content, "word0 word1 word2")
    const { payload } = await client.next("background.error", ({ reason }) => reason === "provider_not_found")
    deepEqual([payload.reason, payload.worker, typeof payload.message, Date.parse(payload.timestamp) > 0], ["provider_not_found", "compaction", "string", true])
    deepEqual(JSON.parse((await alert()).body.value), payload)
    anthropic.script(undefined)
    await send(await talked("small-openai", 400), "And the cellar?")
    equal((await alert()).status, 404)
    for (const name of Object.keys(chosen)) await admin.delete(`/v1/system-configs/compaction.${name}`)
  })

  it("does nothing for a tenant that does without it", async () => {
    const admin = await gateway.as("admin", "master", "root")
    equal((await admin.post("/v1/plugins/compaction/disable", { scope: "tenant" })).status, 200)
    const key = await talked("small-openai", 400)
    await send(key, "And the cellar?")
    deepEqual(openai.requests.map(isSummary), [false])
    equal((await admin.post("/v1/plugins/compaction/enable", { scope: "tenant" })).status, 200)
    await send(key, "And the roof?")
    ok(openai.requests.some(isSummary))
  })

  it("asks once more when the provider finds a conversation too long that should have fitted", async () => {
    const key = await talked("large-openai", 60)
    openai.script(scripted(openAiFormat, (received) => (textOf(received).length > 24_000 ? { refuse: "context" } : { text: isSummary(received) ? "a summary" : "fine" })))
    equal((await send(key, "And the cellar?")).content, "fine")
    for (const { body } of openai.requests) validForOpenAi(body)
    const [first] = openai.requests.map((received) => textOf(received).length)
    ok(first && first > 24_000 && textOf(openai.requests.at(-1) as Received).includes("a summary"))
    const { rows } = await gateway.executeSql("SELECT attempts FROM sessions.runs r JOIN sessions.sessions s ON s.id = r.session_id WHERE session_key = $1", [key])
    const attempts = rows[0]?.attempts as { error?: string; purpose?: string }[]
    deepEqual([attempts[0]?.error, attempts.at(-2)?.purpose, attempts.at(-1)?.error], ["provider_context_length", "summary", undefined])
  })

  it("summarizes what a run would no longer look back on, far from the window's end", async () => {
    const key = await talked("large-openai", 100)
    await send(key, "And the cellar?")
    deepEqual(openai.requests.map(isSummary), [true, false])
    for (const { body } of openai.requests) validForOpenAi(body)
    const [summary, asked] = openai.requests.map(textOf)
    // Nothing falls between them.
    for (let turn = 1; turn <= 100; turn += 1) ok(`${summary}${asked}`.includes(`Turn ${turn}, part 5`), `turn ${turn}`)
    ok(asked?.includes("Turn 62,") && !asked.includes("Turn 61,"))
  })

  it("fails a run that is too long whatever is done", async () => {
    openai.script(scripted(openAiFormat, () => ({ refuse: "context" })))
    const { error } = await client.request("chat.send", { agentId: "large-openai", message: "hello", stream: true })
    equal(error?.code, "INTERNAL")
    equal(openai.requests.length, 1)
  })

  it("keeps a run within the window that its own tools would fill", async () => {
    const key = `agent:small-openai:ws:direct:${randomUUID()}`
    let round = 0
    openai.script(
      scripted(openAiFormat, (received) => (isSummary(received) ? { text: "what the tools said" } : ++round < 9 ? { calls: [`a${round}`, `b${round}`] } : { text: "done" })),
    )
    equal((await send(key, "Read all of it.")).content, "done")
    for (const { body } of openai.requests) validForOpenAi(body)
    for (const received of openai.requests) ok(textOf(received).length < 8_000 * 4)
    for (const received of openai.requests.filter((asked) => !isSummary(asked))) ok(textOf(received).includes("Read all of it."))
    ok(openai.requests.some(isSummary))
    // All of it is stored, as it was.
    equal((await client.call("chat.history", { sessionKey: key })).messages.length, 1 + 8 * 3 + 1)
    openai.script(undefined)
    await send(key, "And now?")
    validForOpenAi(openai.requests.at(-1)?.body)
  })

  it("is done by whom the tenant's settings name, and when the agent's own say", async () => {
    const admin = await gateway.as("admin", "master", "root")
    const set = (name: string, value: string) => admin.put(`/v1/system-configs/compaction.${name}`, { value })
    for (const [name, value] of [
      ["provider", "anthropic"],
      ["model", "words-5"],
      ["keep_recent", "7"],
    ] as const)
      equal((await set(name, value)).status, 200)
    const agent = {
      agent_key: "early",
      name: "early",
      provider: "openai",
      model: "words-3",
      context_window: 200_000,
      compaction_config: { maxHistoryShare: 0.02, reserveTokensFloor: 1_000 },
    }
    equal((await admin.post("/v1/agents", agent)).status, 201)
    const key = await talked("early", 75)
    await send(key, "And the cellar?")
    deepEqual([openai.requests.map(isSummary), anthropic.requests.map(isSummary)], [[false], [true]])
    deepEqual([anthropic.requests[0]?.body.model, openai.requests[0]?.body.messages.length <= 7], ["words-5", true])
    equal((await client.call("sessions.preview", { key })).summary, "word0 word1 word2 word3 word4")
    for (const name of ["provider", "model", "keep_recent"]) await admin.delete(`/v1/system-configs/compaction.${name}`)
  })

  describe("by hand", () => {
    it("summarizes all but the last messages, never parting a call from its results", async () => {
      const key = await talked("large-openai", 10)
      deepEqual(await client.call("sessions.compact", { key, keepLast: 2 }), { ok: true, original: 50, kept: 4 })
      deepEqual((await client.call("sessions.preview", { key })).summary, "word0 word1 word2")
      openai.requests.length = 0
      await send(key, "Go on.")
      const { body } = openai.requests[0] as Received
      validForOpenAi(body)
      ok(!textOf(openai.requests[0] as Received).includes("Turn 9"))
      const { rows } = await gateway.executeSql("SELECT action, actor_id FROM kernel.activity WHERE entity_id = $1", [key])
      deepEqual(rows, [{ action: "session.compacted", actor_id: "root" }])
      const over = await gateway.as("admin", "master", "root").post(`/v1/sessions/${encodeURIComponent(key)}/compact`, { keep_last: 3 })
      deepEqual([over.status, over.body], [200, { ok: true, original: 6, kept: 3 }])
      const info = await infoOf(key)
      deepEqual([info.compactionCount, info.inputTokens], [2, 60])
    })

    it("has nothing to do below six messages, and says why it failed", async () => {
      const [short, long] = [await talked("large-openai", 1), await talked("large-openai", 2)]
      const { message, ...rest } = await client.call("sessions.compact", { session_key: short })
      deepEqual(rest, { ok: true, kept: 5 })
      match(message, /too little/)
      openai.script(scripted(openAiFormat, () => ({ refuse: "down" })))
      const { error } = await client.request("sessions.compact", { key: long })
      match(error?.message ?? "", /^The summary was not made: /)
      equal((await client.call("sessions.preview", { key: long })).summary, "")
    })

    it("is refused while a run is under way, for sessions of others, and for none", async () => {
      const key = await talked("large-openai", 3)
      const answer = client.call("chat.send", { sessionKey: key, message: "hello", modelOverride: "paced-200-20", stream: true })
      await client.next("agent", ({ type, sessionKey }) => type === "chunk" && sessionKey === key)
      equal((await client.request("sessions.compact", { key })).error?.code, "FAILED_PRECONDITION")
      await client.call("chat.abort", { sessionKey: key })
      await answer
      const mallory = await gateway.as("operator", "master", "mallory").rpc()
      equal((await mallory.request("sessions.compact", { key })).error?.code, "UNAUTHORIZED")
      equal((await mallory.request("sessions.compact", { key: `${key}x` })).error?.code, "NOT_FOUND")
    })
  })
})
