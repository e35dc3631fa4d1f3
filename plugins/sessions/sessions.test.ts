import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`
const pathOf = (key: string) => `/v1/sessions/${encodeURIComponent(key)}`

describe("sessions", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const as = (role: "viewer" | "operator" | "admin", user: string, tenant = "acme") => gateway.as(role, tenant, user)

  /** A session of that user's with one exchange. */
  async function begun(user: string, tenant = "acme"): Promise<{ key: string; client: RpcClient }> {
    const key = newKey()
    const client = await as("operator", user, tenant).rpc()
    await client.call("chat.send", { sessionKey: key, message: "/say hello" })
    return { key, client }
  }
  const audited = async (key: string) =>
    (await gateway.executeSql("SELECT action, actor_id FROM kernel.activity WHERE entity_type = 'session' AND entity_id = $1 ORDER BY created_at", [key])).rows

  it("are listed newest first, the user's own, over the socket and over HTTP alike", async () => {
    const keys = []
    for (let index = 0; index < 3; index += 1) keys.unshift((await begun("lister")).key)
    await begun("someone else")
    const client = await as("viewer", "lister").rpc()
    const list = await client.call("sessions.list", { channel: "ws", agentId: "default" })
    deepEqual([list.sessions.map(({ key }: { key: string }) => key), list.total, list.limit, list.offset], [keys, 3, 20, 0])
    const [{ created, updated, ...info }] = list.sessions
    match(created + updated, /^(\d{4}-\d\d-\d\dT[\d:.]+Z){2}$/)
    deepEqual(info, {
      key: keys[0],
      messageCount: 2,
      channel: "ws",
      userID: "lister",
      metadata: {},
      model: "loopback-1",
      provider: "loopback",
      inputTokens: 3,
      outputTokens: 2,
      agentName: "default",
      label: "/say hello",
      estimatedTokens: 5,
      contextWindow: 200_000,
      compactionCount: 0,
    })
    const { body } = await as("viewer", "lister").get("/v1/sessions?limit=2&offset=1")
    deepEqual([body.sessions.map(({ key }: { key: string }) => key), body.total, body.limit, body.offset], [keys.slice(1), 3, 2, 1])
    deepEqual(
      body.payload.map(({ session_key, user_id, message_count }: Record<string, unknown>) => [session_key, user_id, message_count]),
      keys.slice(1).map((key) => [key, "lister", 2]),
    )
    equal((await client.call("sessions.list", { channel: "telegram" })).total, 0)
  })

  it("are narrowed to an agent by its key or its id, and to none by an unknown one", async () => {
    const { client, key } = await begun("narrower")
    const [{ id }] = (await as("admin", "root").get("/v1/agents")).body.agents.filter(({ agent_key }: { agent_key: string }) => agent_key === "default")
    const viewer = await as("viewer", "narrower")
    for (const agent of ["default", id, id.toUpperCase()]) {
      deepEqual(
        (await viewer.get(`/v1/sessions?agent_id=${agent}&channel=`)).body.sessions.map((session: { key: string }) => session.key),
        [key],
        agent,
      )
      for (const name of ["agentId", "agent_id", "agent_key"]) equal((await client.call("sessions.list", { [name]: agent })).total, 1, name)
    }
    for (const agent of [randomUUID(), "nobody"]) equal((await viewer.get(`/v1/sessions?agent_id=${agent}`)).body.total, 0)
  })

  it("go with their agent, whoever owns them, also while a run is under way", async () => {
    const admin = await as("admin", "root")
    const { id } = (await admin.post("/v1/agents", { name: "short-lived" })).body
    const client = await admin.rpc()
    const [idle, busy] = [`agent:short-lived:ws:direct:${randomUUID()}`, `agent:short-lived:ws:direct:${randomUUID()}`]
    await client.call("chat.send", { agentId: "short-lived", sessionKey: idle, message: "/say hello" })
    void client.request("chat.send", { agentId: "short-lived", sessionKey: busy, message: "/slow 100 20", stream: true })
    await client.next("agent", ({ type, sessionKey }) => type === "run.started" && sessionKey === busy)
    const others = await begun("bystander")
    equal((await admin.delete(`/v1/agents/${id}`)).status, 200)
    equal((await admin.get("/v1/sessions?agent_id=short-lived")).body.total, 0)
    for (const table of ["sessions", "runs"]) deepEqual((await gateway.executeSql(`SELECT 1 FROM sessions.${table} WHERE agent_key = 'short-lived'`)).rows, [])
    equal((await others.client.call("sessions.list")).total, 1)
    equal((await admin.post("/v1/agents", { name: "short-lived" })).status, 201)
    deepEqual((await client.call("sessions.preview", { key: idle })).messages, [])
  })

  it("are shown to admins whoever owns them, and narrowed to a user on demand", async () => {
    const { key } = await begun("watched")
    const { body } = await as("admin", "root").get("/v1/sessions?user_id=watched")
    deepEqual(
      body.sessions.map((session: { key: string }) => session.key),
      [key],
    )
    equal((await as("viewer", "nosy").get("/v1/sessions?user_id=watched")).body.total, 0)
    equal((await as("admin", "root").post(`${pathOf(key)}/preview`)).body.messages.length, 2)
  })

  it("are previewed, labelled, changed, reset and removed, each change audited", async () => {
    const { key, client } = await begun("owner")
    const { messages, summary } = await client.call("sessions.preview", { session_key: key })
    deepEqual([messages, summary], [(await client.call("chat.history", { sessionKey: key })).messages, ""])
    deepEqual(await client.call("sessions.label", { key, label: "Greeting" }), { ok: true, key })
    const { status, body } = await as("operator", "owner").patch(pathOf(key), { metadata: { colour: "blue", context_start_index: "3" } })
    deepEqual([status, body], [200, { ok: true, key }])
    await client.call("sessions.patch", { key, metadata: { size: "small" } })
    const [session] = (await client.call("sessions.list")).sessions
    deepEqual([session.label, session.metadata], ["Greeting", { colour: "blue", size: "small" }])
    equal((await client.request("sessions.patch", { key })).error?.code, "INVALID_REQUEST")
    deepEqual(await client.call("sessions.reset", { key }), { ok: true })
    deepEqual((await client.call("chat.history", { sessionKey: key })).messages, [])
    equal((await client.call("sessions.list")).sessions[0].messageCount, 0)
    deepEqual((await as("operator", "owner").delete(pathOf(key))).body, { ok: true })
    equal((await client.call("sessions.list")).total, 0)
    deepEqual((await gateway.executeSql("SELECT 1 FROM sessions.runs WHERE user_id = 'owner'")).rows, [])
    deepEqual(
      (await audited(key)).map(({ action }) => action),
      ["session.patched", "session.patched", "session.patched", "session.reset", "session.deleted"],
    )
  })

  it("have their model changed for the next run", async () => {
    const { key, client } = await begun("modeller")
    await client.call("sessions.patch", { key, model: "loopback-2" })
    await client.call("chat.send", { sessionKey: key, message: "/say hello" })
    const { rows } = await gateway.executeSql("SELECT model FROM sessions.runs WHERE user_id = 'modeller' ORDER BY created_at")
    deepEqual(
      rows.map(({ model }) => model),
      ["loopback-1", "loopback-2"],
    )
  })

  it("are neither reset nor removed while a run is under way", async () => {
    const key = newKey()
    const client = await as("operator", "busy").rpc()
    const answer = client.call("chat.send", { sessionKey: key, message: "/slow 1000 20", stream: true })
    await client.next("agent", ({ type }) => type === "chunk")
    for (const method of ["sessions.reset", "sessions.delete"]) equal((await client.request(method, { key })).error?.code, "FAILED_PRECONDITION", method)
    equal((await as("operator", "busy").delete(pathOf(key))).status, 409)
    await client.call("chat.abort", { sessionKey: key })
    await answer
    deepEqual(await client.call("sessions.delete", { key }), { ok: true })
  })

  it("are unknown where there are none: an error to users, nothing to do for admins", async () => {
    const key = newKey()
    const user = await as("operator", "nobody").rpc()
    const admin = await as("admin", "root").rpc()
    for (const method of ["sessions.preview", "sessions.reset", "sessions.delete", "sessions.label"])
      equal((await user.request(method, { key, label: "x" })).error?.code, "NOT_FOUND", method)
    equal((await as("operator", "nobody").delete(pathOf(key))).status, 404)
    for (const method of ["sessions.reset", "sessions.delete"]) deepEqual(await admin.call(method, { key }), { ok: true })
    deepEqual(await admin.call("sessions.preview", { key }), { key, messages: [], summary: "" })
    equal((await admin.request("sessions.patch", { key, label: "x" })).error?.code, "NOT_FOUND")
  })

  // Rows S12 and S13 of the list of bad days.
  describe("of another user", () => {
    it("are neither read, nor changed, nor continued, nor joined", async () => {
      const { key, client } = await begun("victor")
      const before = await client.call("chat.history", { sessionKey: key })
      const http = await as("operator", "mallory")
      const rpc = await http.rpc()
      for (const [method, more] of Object.entries({
        "chat.history": {},
        "chat.send": { message: "/say mine now" },
        "chat.inject": { message: "I agree to everything." },
        "chat.abort": {},
        "chat.session.status": {},
        "chat.events": {},
        "sessions.preview": { key },
        "sessions.label": { key, label: "mine" },
        "sessions.patch": { key, model: "mine" },
        "sessions.reset": { key },
        "sessions.delete": { key },
      })) {
        const { ok: done, error } = await rpc.request(method, { sessionKey: key, ...more })
        deepEqual([done, error?.code], [false, "UNAUTHORIZED"], method)
      }
      for (const [method, path] of [
        ["POST", "/preview"],
        ["POST", "/reset"],
        ["DELETE", ""],
      ] as const)
        equal((await http.fetch(`${pathOf(key)}${path}`, { method })).status, 403)
      equal((await http.patch(pathOf(key), { label: "mine" })).status, 403)
      deepEqual(await client.call("chat.history", { sessionKey: key }), before)
      deepEqual(await audited(key), [])
    })

    it("keep their runs to themselves: the right id of another's run is as unknown as an invented one, and its events go past", async () => {
      const key = newKey()
      const victor = await as("operator", "victor").rpc()
      const mallory = await as("operator", "mallory").rpc()
      const answer = victor.call("chat.send", { sessionKey: key, message: "/slow 1000 20", stream: true })
      const { payload } = await victor.next("agent", ({ type }) => type === "chunk")
      const shown = async (runId: string) => JSON.stringify((await mallory.request("chat.events", { runId })).error).replaceAll(runId, "")
      const invented = randomUUID()
      equal(await shown(payload.runId), await shown(invented))
      match(await shown(invented), /NOT_FOUND/)
      const admin = await as("admin", "root").rpc()
      equal((await admin.call("chat.events", { runId: payload.runId })).isRunning, true)
      await victor.call("chat.abort", { sessionKey: key })
      await answer
      await admin.next("agent", (event) => event.runId === payload.runId && event.type === "run.cancelled")
      deepEqual(mallory.events, [])
    })

    it("are another tenant's business", async () => {
      const { key } = await begun("victor")
      const stranger = await as("admin", "root", "globex").rpc()
      deepEqual(await stranger.call("chat.history", { sessionKey: key }), { messages: [] })
      const { content } = await stranger.call("chat.send", { sessionKey: key, message: "/say a session of our own" })
      equal(content, "a session of our own")
      equal((await (await as("operator", "victor").rpc()).call("chat.history", { sessionKey: key })).messages.length, 2)
    })
  })
})
