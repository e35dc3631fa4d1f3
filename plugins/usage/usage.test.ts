import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

type Row = Record<string, unknown>
const hourMs = 3_600_000
const sinceEver = "from=2000-01-01&to=2100-01-01"

describe("usage", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const as = (tenant: string, user = "alice", role: "viewer" | "operator" | "admin" = "operator") => gateway.as(role, tenant, user)
  const report = async (path: string, tenant: string, user?: string, headers?: Record<string, string>) => {
    const { status, body } = await as(tenant, user, "viewer").get(path, headers)
    equal(status, 200, JSON.stringify(body))
    return body
  }

  async function turn(tenant: string, { user = "alice", message = "/say hello", key = "1" } = {}): Promise<void> {
    const client = await as(tenant, user).rpc()
    await client.call("chat.send", { sessionKey: `agent:default:ws:direct:${tenant}-${user}-${key}`, message })
    client.close()
  }
  /** As time would have it: the tenant's runs ended so many hours earlier, at so high a price. */
  const aged = (tenant: string, hours: number, costNanoUsd: number | null = null) =>
    gateway.executeSql(
      `UPDATE sessions.runs SET created_at = finished_at - make_interval(hours => $2) - interval '2 seconds', finished_at = finished_at - make_interval(hours => $2), cost_nano_usd = $3
       WHERE finished_at > now() - interval '1 minute' AND session_id IN (SELECT id FROM sessions.sessions WHERE session_key LIKE '%:' || $1 || '-%')`,
      [tenant, hours, costNanoUsd],
    )

  it("counts a turn at once, with every number there", async () => {
    await turn("once", { message: "/tool datetime" })
    const { points } = await report("/v1/usage/timeseries", "once")
    const [{ bucket_time, input_tokens, output_tokens, avg_duration_ms, ...point }] = points
    match(bucket_time, /^\d{4}-\d\d-\d\dT\d\d:00:00(\.0+)?Z$/)
    ok(input_tokens > 0 && output_tokens > 0 && avg_duration_ms >= 0)
    deepEqual(point, {
      cache_read_tokens: 0,
      cache_create_tokens: 0,
      thinking_tokens: 0,
      total_cost: 0,
      request_count: 1,
      llm_call_count: 2,
      tool_call_count: 1,
      error_count: 0,
      unique_users: 1,
      memory_docs: 0,
      memory_chunks: 0,
      kg_entities: 0,
      kg_relations: 0,
    })
    const { current, previous } = await report("/v1/usage/summary?period=today", "once")
    deepEqual(current, { requests: 1, input_tokens, output_tokens, cost: 0, unique_users: 1, errors: 0, llm_calls: 2, tool_calls: 1, avg_duration_ms })
    deepEqual(
      Object.values(previous),
      Object.keys(current).map(() => 0),
    )
    const [{ id }] = (await as("once", "root", "admin").get("/v1/agents")).body.agents
    deepEqual(await report("/v1/costs/summary", "once"), {
      rows: [{ agent_id: id, total_cost: 0, total_input_tokens: input_tokens, total_output_tokens: output_tokens, trace_count: 1 }],
    })
    for (const [by, key] of [
      ["provider", "loopback"],
      ["model", "loopback-1"],
      ["channel", "ws"],
      ["agent", id],
      ["day", bucket_time.slice(0, 10)],
      ["nonsense", "loopback"],
    ]) {
      const { rows } = await report(`/v1/usage/breakdown?group_by=${by}`, "once")
      deepEqual(rows, [
        {
          key,
          input_tokens,
          output_tokens,
          cache_read_tokens: 0,
          cache_create_tokens: 0,
          total_cost: 0,
          request_count: 1,
          llm_call_count: 2,
          tool_call_count: 1,
          error_count: 0,
          avg_duration_ms,
        },
      ])
    }
  })

  it("has numbers where there is nothing", async () => {
    deepEqual((await report("/v1/usage/timeseries?period=7d", "nothing")).points, [])
    deepEqual((await report("/v1/usage/breakdown", "nothing")).rows, [])
    deepEqual(await report("/v1/costs/summary", "nothing"), { rows: [] })
    ok(Object.values((await report("/v1/usage/summary", "nothing")).current).every((value) => value === 0))
  })

  it("refuses times and limits that cannot be read, for pages that want that", async () => {
    await turn("strict")
    const { points } = await report("/v1/usage/events/timeseries?group_by=day&limit=5", "strict")
    const { rows } = await report("/v1/usage/events/breakdown?group_by=model", "strict")
    const { summary } = await report("/v1/usage/events/summary?period=7d", "strict")
    deepEqual([points[0].request_count, rows[0].request_count, summary.requests], [1, 1, 1])
    for (const query of ["from=yesterday", "to=2026-13-01", "limit=0", "limit=many", "limit=1001"])
      deepEqual([(await as("strict").get(`/v1/usage/events/breakdown?${query}`)).status, (await as("strict").get(`/v1/usage/events/timeseries?${query}`)).status], [400, 400])
  })

  it("counts calls without an agent, and turns that fail", async () => {
    await as("calls", "root", "admin").post("/v1/providers", { name: "words", provider_type: "loopback" })
    await as("calls").post("/v1/chat/completions", { model: "words/loopback-1", messages: [{ role: "user", content: "hi" }] })
    await turn("calls", { message: "/fail auth" }).catch(() => undefined)
    const rows = async () => (await report("/v1/usage/breakdown?group_by=channel", "calls")).rows as Row[]
    while ((await rows()).length < 2) await sleep(50)
    deepEqual((await rows()).map(({ key, request_count, error_count }) => [key, request_count, error_count]).sort(), [
      ["chat/completions", 1, 0],
      ["ws", 1, 1],
    ])
    const costs = (await report("/v1/costs/summary", "calls")).rows as Row[]
    deepEqual(costs.map(({ agent_id, trace_count }) => [typeof agent_id, trace_count]).sort(), [
      ["string", 1],
      ["undefined", 1],
    ])
  })

  it("adds up hours that are over, once, and knows them when their session is gone", async () => {
    await turn("past", { user: "alice" })
    await turn("past", { user: "bob" })
    await aged("past", 30, 1_500_000)
    await turn("past", { user: "alice", key: "2" })
    await aged("past", 3, 250_000_000)
    await turn("past", { user: "alice", key: "3" })
    const read = async () =>
      ((await report(`/v1/usage/timeseries?${sinceEver}`, "past")).points as Row[]).map(({ request_count, total_cost, unique_users }) => [request_count, total_cost, unique_users])
    const expected = [
      [2, 0.003, 2],
      [1, 0.25, 1],
      [1, 0, 1],
    ]
    deepEqual(await Promise.all(Array.from({ length: 5 }, read)), Array(5).fill(expected))
    const { rows } = await gateway.executeSql("SELECT sum(requests)::int AS requests FROM usage.hours WHERE cost_nano_usd > 0")
    equal(rows[0]?.requests, 3)
    const client = await as("past", "root", "admin").rpc()
    for (const key of ["alice-1", "bob-1", "alice-2", "alice-3"]) await client.call("sessions.delete", { key: `agent:default:ws:direct:past-${key}` })
    deepEqual(await read(), expected)
    equal((await client.call("usage.get")).total, 0)
    const { current } = await report(`/v1/usage/summary?${sinceEver}`, "past")
    deepEqual([current.requests, current.cost, current.unique_users, current.avg_duration_ms >= 1_000], [4, 0.253, 2, true])
    const week = (await report(`/v1/usage/timeseries?${sinceEver}&interval=week`, "past")).points as Row[]
    ok(week.every(({ bucket_time }) => new Date(bucket_time as string).getUTCDay() === 1))
  })

  it("compares with the time before, and takes days and times", async () => {
    await turn("before")
    await aged("before", 26)
    await turn("before")
    const { current, previous } = await report("/v1/usage/summary", "before")
    deepEqual([current.requests, previous.requests], [1, 1])
    const day = (ago: number) => new Date(Date.now() - ago).toISOString().slice(0, 10)
    const points = async (query: string) => (await report(`/v1/usage/timeseries?group_by=day&${query}`, "before")).points.length
    deepEqual(
      await Promise.all([
        points(`from=${day(30 * hourMs)}&to=${day(0)}`),
        points(`from=${new Date(Date.now() - 2 * hourMs).toISOString()}`),
        points("from=nonsense&to=1"),
        points(`to=${day(48 * hourMs)}`),
      ]),
      [2, 1, 1, 0],
    )
  })

  it("narrows by agent, provider, model and channel", async () => {
    await turn("narrow")
    const [{ id }] = (await as("narrow", "root", "admin").get("/v1/agents")).body.agents
    const requests = async (query: string) => (await report(`/v1/usage/summary?${query}`, "narrow")).current.requests
    for (const query of ["agent_id=default", `agent_id=${id}`, `agent_id=${id.toUpperCase()}`, "provider=loopback&model=loopback-1&channel=ws", "agent_id="])
      equal(await requests(query), 1, query)
    for (const query of ["agent_id=nobody", "agent_id=019d0e00-1111-7000-8000-00000000000a", "provider=openai", "model=x", "channel=http"]) equal(await requests(query), 0, query)
    deepEqual((await report("/v1/costs/summary?agent_id=nobody", "narrow")).rows, [])
    equal((await report("/v1/costs/summary", "narrow")).rows.length, 1)
    await gateway.executeSql("UPDATE sessions.runs SET channel = 'subagent' WHERE session_id IN (SELECT id FROM sessions.sessions WHERE session_key LIKE '%:narrow-%')")
    deepEqual([(await report("/v1/costs/summary", "narrow")).rows, await requests("channel=subagent")], [[], 1])
  })

  it("shows records of sessions to their users and to admins, totals to all, and nothing to other tenants", async () => {
    await turn("own", { user: "alice" })
    await turn("own", { user: "bob" })
    const seen = async (tenant: string, user: string, role: "viewer" | "admin") => {
      const client = await as(tenant, user, role).rpc()
      const { records, total, limit, offset } = await client.call("usage.get", { agentId: "default" })
      deepEqual([total, limit, offset], [records.length, 20, 0])
      deepEqual((await as(tenant, user, role).get("/v1/usage")).body.records, records)
      return { sessions: records.map(({ sessionKey }: Row) => sessionKey), totals: await client.call("usage.summary") }
    }
    const [alice, admin, other] = await Promise.all([seen("own", "alice", "viewer"), seen("own", "anna", "admin"), seen("globex", "gina", "admin")])
    deepEqual([alice.sessions, admin.sessions.length, other.sessions], [["agent:default:ws:direct:own-alice-1"], 2, []])
    deepEqual(alice.totals, { byAgent: { default: { inputTokens: 6, outputTokens: 4, totalTokens: 10, sessions: 2 } }, totalRecords: 2 })
    deepEqual([admin.totals, other.totals], [alice.totals, { byAgent: {}, totalRecords: 0 }])
    equal((await report("/v1/usage/summary", "globex")).current.requests, 0)
  })

  it("tells today's totals to all, and requests by user to admins and of oneself", async () => {
    await turn("quota", { user: "alice" })
    await turn("quota", { user: "bob" })
    await turn("quota", { user: "bob", key: "2" })
    const of = async (user: string, role: "viewer" | "admin") => (await as("quota", user, role).rpc()).call("quota.usage")
    const one = (used: number) => ({ hour: { used, limit: 0 }, day: { used, limit: 0 }, week: { used, limit: 0 } })
    const { entries, ...totals } = await of("alice", "viewer")
    deepEqual(totals, { enabled: false, requestsToday: 3, inputTokensToday: 9, outputTokensToday: 6, costToday: 0, uniqueUsersToday: 2 })
    deepEqual(entries, [{ userId: "alice", ...one(1) }])
    deepEqual((await of("anna", "admin")).entries, [
      { userId: "bob", ...one(2) },
      { userId: "alice", ...one(1) },
    ])
    await as("quota", "anna", "admin").post("/v1/budgets", { scope: "tenant", period: "day", limit_usd: 5 })
    equal((await of("alice", "viewer")).enabled, true)
  })

  it("speaks with today's command-line client in its own columns, and with others without them", async () => {
    await turn("cli")
    const columns = async (path: string, names: string[]) => {
      const { payload } = await report(path, "cli")
      deepEqual(
        names.filter((name) => payload[0][name] === undefined || payload[0][name] === null),
        [],
        path,
      )
      equal((await report(path, "cli", "alice", { "x-goclaw-user-id": "alice" })).payload, undefined)
    }
    await columns("/v1/usage/timeseries?interval=day", ["period", "tokens_in", "tokens_out", "requests", "bucket_time"])
    await columns("/v1/usage/breakdown?group_by=model", ["group", "tokens_in", "tokens_out", "cost"])
    const today = new Date().toISOString().slice(0, 10)
    await columns(`/v1/usage?agent_id=default&provider=loopback&from=${today}&to=${today}`, [
      "agent_id",
      "session_key",
      "input_tokens",
      "output_tokens",
      "total_tokens",
      "timestamp",
    ])
    equal((await report("/v1/usage?from=2100-01-01", "cli")).total, 0)
  })
})
