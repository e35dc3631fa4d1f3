import { deepEqual, equal, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { misfits, type Shape } from "../contract/shapes.ts"
import { type WsClient, wsClient } from "../ws-client.ts"

/** Lists that it prints as tables, and their columns: an array, or one under `payload`. Source: wire contract, observability 11. */
const tables: Readonly<Record<string, readonly [path: string, columns: Shape]>> = {
  "agents list": ["/v1/agents", { id: "uuid", agent_key: "slug", provider: "text", model: "text", status: "name", agent_type: "name" }],
  "agents links list": ["/v1/agents/links", { id: "uuid", source_agent: "slug", target_agent: "slug", direction: "name", max_concurrent: "int" }],
  "agents instances list": ["/v1/agents/default/instances", { user_id: "name" }],
  "providers list": ["/v1/providers", { id: "uuid", name: "slug", provider_type: "name", enabled: "bool" }],
  "providers models": ["/v1/providers/loopback/models", { id: "name" }],
  "api-keys list": ["/v1/api-keys", { id: "uuid", name: "name", prefix: "name", scopes: "list", expires_at: "ts|null", last_used_at: "ts|null", revoked: "bool" }],
  "tenants list": ["/v1/tenants", { id: "uuid", name: "name", slug: "slug", status: "name", created_at: "ts" }],
  "sessions list": ["/v1/sessions", { session_key: "name", agent_id: "slug", message_count: "int", created_at: "ts" }],
  "system-config list": ["/v1/system-configs", { key: "name", value: "text", updated_at: "ts" }],
  "usage breakdown": ["/v1/usage/breakdown?group_by=model", { group: "name", tokens_in: "int", tokens_out: "int", cost: "number" }],
  "usage timeseries": ["/v1/usage/timeseries?interval=day", { period: "ts", tokens_in: "int", tokens_out: "int", requests: "int" }],
  "usage detail": ["/v1/usage", "object"],
  activity: ["/v1/activity?limit=50", { id: "uuid", action: "name", actor_id: "name" }],
  "delegations list": ["/v1/delegations?limit=20", "object"],
}

/** Methods with the names that it sends, and what it prints of the answer. Source: wire contract, WS 7.1 and 8. */
const commands: readonly (readonly [command: string, method: string, params: object, reads: Shape])[] = [
  ["status", "status", {}, { agents: "list", sessions: "int" }],
  ["agents wait", "agent.wait", { agent_id: "default", timeout: 5 }, { status: "'idle'" }],
  ["agents files set", "agents.files.set", { agent_id: "default", file_name: "SOUL.md", content: "Brief." }, { agentId: "'default'" }],
  ["agents files get", "agents.files.get", { agent_id: "default", file_name: "SOUL.md" }, { content: "'Brief.'" }],
  ["chat status", "chat.session.status", { agent_key: "default" }, { isRunning: "bool" }],
  ["chat inject", "chat.inject", { agent_key: "default", text: "By the way" }, { ok: "true" }],
  ["chat abort", "chat.abort", { agent_key: "default" }, { ok: "true" }],
  ["interactive /sessions", "sessions.list", { agent_key: "default" }, { sessions: "list" }],
  [
    "cron create",
    "cron.create",
    { agent_id: "default", name: "nightly", cron_expression: "0 3 * * *", timezone: "Asia/Ho_Chi_Minh", payload: { message: "Report" } },
    { id: "uuid" },
  ],
  ["cron list", "cron.list", {}, [{ id: "uuid", name: "slug", agent_id: "slug", enabled: "bool", cron_expression: "'0 3 * * *'" }]],
  ["approvals list", "exec.approval.list", {}, ["object"]],
  ["devices list", "device.pair.list", {}, ["object"]],
  ["config get gateway", "config.get", { key: "gateway" }, { key: "'gateway'", value: "any", hash: "name" }],
  ["config permissions grant", "config.permissions.grant", { user_id: "bea", key: "cron" }, { ok: "true" }],
  ["config permissions list", "config.permissions.list", {}, [{ userId: "'bea'" }]],
  ["heartbeat set", "heartbeat.set", { interval: 600 }, { heartbeat: { intervalSec: "int" } }],
  ["heartbeat get", "heartbeat.get", {}, { heartbeat: { intervalSec: "int" } }],
  ["heartbeat checklist set", "heartbeat.checklist.set", { data: "- tea" }, { ok: "true" }],
  ["heartbeat targets", "heartbeat.targets", {}, ["object"]],
  ["logs tail", "logs.tail", { level: "warn" }, { status: "'tailing'" }],
  ["teams list", "teams.list", {}, ["object"]],
  ["interactive /clear", "sessions.reset", { session_key: "agent:default:cli:direct:tried" }, { ok: "true" }],
]

describe("the command line's client", () => {
  let gateway: TestGateway
  let socket: WsClient
  before(async () => {
    gateway = await testGateway()
    await gateway.as("admin").post("/v1/agents", { agent_key: "peer", agent_type: "predefined" })
    await gateway.as("admin").post("/v1/agents/links", { source_agent: "default", target_agent: "peer" })
    await gateway.as("admin").post("/v1/api-keys", { name: "ci", scopes: ["operator.read"] })
    await gateway.as("admin").put("/v1/system-configs/agent.default_model", { value: "" })
    socket = await wsClient(gateway.url)
    await socket.request("connect", { token: gateway.token, user_id: "cli" })
  })
  after(async () => {
    socket.close()
    await gateway.close()
  })

  it("chats without a session key, sees the run's events by their own names, and goes on in the same session", async () => {
    const first = await socket.request("chat.send", { agent_key: "default", message: "Hello" })
    // A new session also gets a name, which is told when it is there.
    const others = ["agent", "session.updated"]
    const names = socket.frames.flatMap((frame) => (frame.type === "event" && !others.includes(frame.event) ? [frame.event] : []))
    deepEqual([names[0], names.includes("chunk"), names.at(-1)], ["run.started", true, "run.completed"])
    ok(first.payload.content.length > 0)
    await socket.request("chat.send", { agent_key: "default", message: "Again" })
    const { payload } = await socket.request("sessions.list", { agent_key: "default" })
    equal(payload.sessions.length, 1)
  })

  for (const [command, method, params, reads] of commands) {
    it(command, async () => {
      const { error, payload } = await socket.request(method, params)
      equal(error, undefined, JSON.stringify(error))
      deepEqual(misfits(reads, payload), [])
    })
  }

  for (const [command, [path, columns]] of Object.entries(tables)) {
    it(`${command} finds its rows and columns`, async () => {
      const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${gateway.token}` } })
      equal(response.status, 200)
      const body = (await response.json()) as unknown[] | { payload?: unknown; ok?: unknown; error?: unknown }
      const rows = Array.isArray(body) ? body : body.payload
      // Neither stands beside the rows: it would take the answer for an envelope of its own.
      if (!Array.isArray(body)) deepEqual([body.ok, body.error], [undefined, undefined])
      deepEqual(misfits([columns], rows), [])
      if (!["usage detail", "delegations list", "agents instances list"].includes(command)) ok((rows as unknown[]).length > 0, "there is no row")
    })
  }

  it("takes an object that it prints as it is, without a payload in it", async () => {
    for (const path of ["/v1/agents/default", "/v1/costs/summary", "/v1/usage/summary", "/v1/agents/default/export"]) {
      const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${gateway.token}` } })
      const body = (await response.json()) as Record<string, unknown>
      deepEqual([path, response.status, body.payload], [path, 200, undefined])
    }
  })
})
