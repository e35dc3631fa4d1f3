import { deepEqual, equal, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { misfits, type Shape } from "../contract/shapes.ts"
import { type WsClient, wsClient } from "../ws-client.ts"

/** What a page asks for when it is opened, and the members without which it crashes or stays empty. Source: wire contract, observability 12 and WS 7.3. */
const pages: Readonly<Record<string, readonly (readonly [call: string, reads: Shape, params?: object])[]>> = {
  overview: [
    ["health", { version: "name", uptime: "int", database: "name", tools: "int", clients: "list", currentId: "name" }],
    ["status", { agents: "list", agentTotal: "int", clients: "int", sessions: "int" }],
    ["quota.usage", { enabled: "bool", requestsToday: "int", inputTokensToday: "int", outputTokensToday: "int", costToday: "number", uniqueUsersToday: "int", entries: "list" }],
    ["cron.list", { jobs: "list", status: { enabled: "bool", jobs: "int" } }],
    [
      "GET /v1/usage/timeseries?from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&group_by=hour",
      { points: [{ request_count: "int", input_tokens: "int", output_tokens: "int", total_cost: "number" }] },
    ],
    [
      "GET /v1/usage/summary?period=today",
      { current: { requests: "int", input_tokens: "int", output_tokens: "int", cost: "number" }, previous: { requests: "int", cost: "number" } },
    ],
  ],
  usage: [
    ["usage.get", { records: "list", total: "int" }],
    ["usage.summary", { byAgent: "object", totalRecords: "int" }],
    ...["provider", "model", "channel"].map((group): [string, Shape] => [
      `GET /v1/usage/breakdown?group_by=${group}`,
      { rows: [{ key: "name", llm_call_count: "int", total_cost: "number" }] },
    ]),
    ["GET /v1/usage/summary?period=7d", { current: { "*": "number" }, previous: { "*": "number" } }],
  ],
  chat: [
    ["GET /v1/agents", { agents: [{ agent_key: "slug", status: "name", is_default: "bool" }] }],
    ["sessions.list", { sessions: [{ key: "name", messageCount: "int", created: "ts", updated: "ts" }], total: "int" }, { agentId: "default", channel: "ws" }],
    ["chat.history", { messages: [{ role: "name", content: "text" }] }, { sessionKey: "agent:default:ws:direct:dash" }],
    ["chat.session.status", { isRunning: "bool", runId: "text" }, { sessionKey: "agent:default:ws:direct:dash" }],
    ["teams.tasks.active-by-session", { tasks: "list" }, { sessionKey: "agent:default:ws:direct:dash" }],
  ],
  agents: [
    ["GET /v1/agents", { agents: [{ id: "uuid", agent_key: "slug", status: "name", agent_type: "name", provider: "text", model: "text", owner_id: "text" }] }],
    ["agents.list", { agents: [{ id: "slug", name: "name" }] }],
    ["GET /v1/agents/default", { id: "uuid", agent_key: "'default'" }],
    ["agents.files.list", { files: [{ name: "name", missing: "bool" }] }, { agentId: "default" }],
    ["heartbeat.get", { heartbeat: "object|null" }, { agentId: "default" }],
    ["heartbeat.targets", { targets: "list" }, { agentId: "default" }],
    ["config.permissions.list", { permissions: "list" }, { agentId: "default" }],
    ["GET /v1/agents/default/instances", { instances: "list" }],
    ["GET /v1/agents/default/system-prompt-preview", { prompt: "text" }],
    ["agents.links.list", { links: "list", count: "int" }, { agentId: "default", direction: "all" }],
  ],
  sessions: [
    ["sessions.list", { sessions: "list", total: "int", limit: "int", offset: "int" }, { limit: 20, offset: 0 }],
    ["sessions.preview", { messages: "list", summary: "text" }, { key: "agent:default:ws:direct:dash" }],
    ["run.timeline.get", { items: [{ seq: "int", item_type: "name", status: "name" }] }, { sessionKey: "agent:default:ws:direct:dash" }],
  ],
  cron: [["cron.list", { jobs: "list" }, { includeDisabled: true }]],
  config: [
    ["config.get", { config: "object", hash: "name", path: "text" }],
    ["config.defaults", { agents: { contextPruning: "object", subagents: "object" } }],
    ["GET /v1/system-configs", { "*": "text" }],
    ["GET /v1/embedding/status", { configured: "bool" }],
  ],
  approvals: [["exec.approval.list", { pending: "list" }]],
  nodes: [["device.pair.list", { pending: "list", paired: "list" }]],
  logs: [["logs.tail", { status: "'tailing'", level: "name" }, { action: "start", level: "info" }]],
  teams: [["teams.list", { teams: "list" }]],
  tenants: [["tenants.list", { tenants: [{ id: "uuid", slug: "slug", name: "name", status: "name" }] }]],
  providers: [["GET /v1/providers", { providers: [{ id: "uuid", name: "slug", provider_type: "name", enabled: "bool" }] }]],
  "api keys": [["GET /v1/api-keys", [{ id: "uuid", name: "name", prefix: "name", scopes: "list", revoked: "bool" }]]],
  activity: [["GET /v1/activity", { logs: [{ id: "uuid", action: "name", actor_id: "name", created_at: "ts" }], total: "int" }]],
}

describe("the dashboard", () => {
  let gateway: TestGateway
  let socket: WsClient
  const headers = () => ({ authorization: `Bearer ${gateway.token}`, "x-goclaw-user-id": "system", "x-goclaw-tenant-id": "master", "content-type": "application/json" })
  before(async () => {
    gateway = await testGateway()
    socket = await wsClient(gateway.url)
  })
  after(async () => {
    socket.close()
    await gateway.close()
  })

  async function get(path: string): Promise<unknown> {
    const response = await fetch(gateway.url + path, { headers: headers() })
    equal(response.status, 200, `${path}: ${response.status}`)
    return response.json()
  }

  it("lets in who has the token, and tells who has not by a 401", async () => {
    const login = (token: string) => fetch(`${gateway.url}/v1/agents`, { headers: { ...headers(), authorization: `Bearer ${token}` } })
    deepEqual([(await login(gateway.token ?? "")).status, (await login("wrong")).status], [200, 401])
  })

  it("connects, and finds a tenant of its own to be in", async () => {
    const { payload } = await socket.request("connect", { token: gateway.token, user_id: "system", locale: "en", tenant_id: "master", protocolVersion: 3 })
    deepEqual(
      misfits(
        {
          protocol: "int",
          role: "'owner'",
          user_id: "'system'",
          tenant_id: "uuid",
          tenant_slug: "'master'",
          is_owner: "true",
          is_master_scope: "true",
          edition: "name",
          server: "object",
        },
        payload,
      ),
      [],
    )
    const mine = await socket.request("tenants.mine")
    deepEqual(misfits({ tenants: [{ id: "uuid", slug: "slug", name: "name", role: "name", status: "name" }] }, mine.payload), [])
    ok(mine.payload.tenants.some(({ slug }: { slug: string }) => slug === "master"))
  })

  it("does not open its setup wizard: a provider counts as ready, and there is an active agent", async () => {
    const { providers } = (await get("/v1/providers")) as { providers: { enabled: boolean; api_key?: string }[] }
    ok(providers.some(({ enabled, api_key }) => enabled && api_key === "***"))
    const { agents } = (await get("/v1/agents")) as { agents: { status: string }[] }
    ok(agents.some(({ status }) => status === "active"))
  })

  it("takes an alert that was never set for none", async () => {
    const { status } = await fetch(`${gateway.url}/v1/system-configs/alert.background.provider_error`, { headers: headers() })
    equal(status, 404)
  })

  it("chats, and finds its text in the run's own events", async () => {
    const { payload } = await socket.request("chat.send", { agentId: "default", sessionKey: "agent:default:ws:direct:dash", message: "Hello", stream: true })
    const events = socket.frames.flatMap((frame) => (frame.type === "event" && frame.event === "agent" && frame.payload.runId === payload.runId ? [frame.payload] : []))
    deepEqual([events[0].type, events.at(-1).type], ["run.started", "run.completed"])
    const streamed = events.flatMap(({ type, payload: told }) => (type === "chunk" ? [told.content] : [])).join("")
    equal(streamed, payload.content)
  })

  for (const [page, calls] of Object.entries(pages)) {
    it(`shows ${page}`, async () => {
      for (const [call, reads, params] of calls) {
        const isRoute = call.startsWith("GET ")
        const frame = isRoute ? undefined : await socket.request(call, params)
        equal(frame?.error, undefined, `${call}: ${JSON.stringify(frame?.error)}`)
        deepEqual(misfits(reads, frame ? frame.payload : await get(call.slice(4)), call), [])
      }
    })
  }

  it("gets what it asks of plugins that are not there as errors that it can show", async () => {
    for (const path of ["/v1/no-such-page", "/v1/model-pricing-of-nobody"]) {
      const response = await fetch(gateway.url + path, { headers: headers() })
      deepEqual([response.status, misfits({ error: "name", code: "name" }, await response.json())], [404, []])
    }
    const { ok: isOk, error } = await socket.request("no.such.method")
    deepEqual([isOk, error?.code], [false, "INVALID_REQUEST"])
  })
})
