import { deepEqual, equal, match, ok } from "node:assert/strict"
import { openRpc, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const master = "0193a5b0-7000-7000-8000-000000000001"
const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

describe("system", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("says that the gateway is well to anybody, and nothing of who is on it", async () => {
    const response = await fetch(`${gateway.url}/health`, { headers: { authorization: "Bearer wrong" } })
    const { uptime_ms, version, loop_delay_ms, ...rest } = (await response.json()) as Record<string, unknown>
    equal(response.status, 200)
    deepEqual(rest, { status: "ok", mode: "managed", database: "ok", protocol: 3 })
    ok(Number.isInteger(uptime_ms) && Number.isInteger(loop_delay_ms))
    match(String(version), /^\d+\.\d+\.\d+/)
  })

  it("answers HEAD like GET, and nothing else", async () => {
    const head = await fetch(`${gateway.url}/health`, { method: "HEAD" })
    deepEqual([head.status, await head.text()], [200, ""])
    const post = await fetch(`${gateway.url}/health`, { method: "POST" })
    deepEqual([post.status, post.headers.get("allow")?.includes("GET")], [405, true])
  })

  it("names its edition", async () => {
    deepEqual(await (await fetch(`${gateway.url}/v1/edition`)).json(), { name: "standard" })
  })

  it("says over the socket who of the tenant is on it, and which of them asks", async () => {
    const [rpc, stranger] = [await gateway.as("viewer", "acme", "vera").rpc(), await gateway.as("admin", "globex").rpc()]
    const { clients, currentId, uptime, version, tools, ...rest } = await rpc.call("health")
    deepEqual(rest, { status: "ok", mode: "managed", database: "ok" })
    ok(Number.isInteger(uptime) && Number.isInteger(tools) && tools >= 1 && typeof version === "string")
    equal(clients.length, 1)
    const [{ id, connectedAt, remoteAddr, ...client }] = clients
    deepEqual([id, client], [currentId, { userId: "vera", role: "viewer" }])
    match(connectedAt, time)
    match(remoteAddr, /127\.0\.0\.1|::1/)
    stranger.close()
  })

  it("counts agents, sockets and sessions of the tenant", async () => {
    const admin = await gateway.as("admin", "numbers")
    await admin.post("/v1/agents", { name: "sleeper", status: "inactive" })
    const rpc = await admin.rpc()
    await rpc.call("chat.send", { message: "hello" })
    const { agents, ...counts } = await rpc.call("status")
    deepEqual(counts, { agentTotal: 2, clients: 1, sessions: 1 })
    deepEqual(
      agents.map(({ id, isRunning }: { id: string; isRunning: boolean }) => [id, isRunning]),
      [["default", false]],
    )
    ok(agents[0].model !== "")
  })

  it("counts for a user what that user may see", async () => {
    await gateway.as("operator", "shared", "otto").post("/v1/chat/completions", { messages: [{ role: "user", content: "hello" }] })
    const sessionsOf = async (role: "operator" | "admin", user: string) => (await (await gateway.as(role, "shared", user).rpc()).call("status")).sessions
    deepEqual([await sessionsOf("operator", "otto"), await sessionsOf("operator", "vera"), await sessionsOf("admin", "anna")], [1, 0, 1])
  })

  it("lists the tenants that one may enter: for owners all, for a key its own", async () => {
    const tenantId = await gateway.tenant("acme")
    const owner = await openRpc(gateway.url)
    await owner.call("connect", { token: gateway.token, user_id: "system" })
    const all = (await owner.call("tenants.mine")).tenants
    deepEqual(all[0], { id: master, name: all[0].name, slug: "master", role: "owner", status: "active" })
    ok(all.some(({ id, role }: { id: string; role: string }) => id === tenantId && role === "owner"))
    deepEqual((await (await gateway.as("operator", "acme").rpc()).call("tenants.mine")).tenants, [{ id: tenantId, name: "acme", slug: "acme", role: "operator", status: "active" }])
    owner.close()
  })

  it("lists at least one tenant for everybody who gets in", async () => {
    const rpc = await openRpc(gateway.url)
    await rpc.call("connect", { token: gateway.token, user_id: "anna" })
    deepEqual(
      (await rpc.call("tenants.mine")).tenants.map(({ id, role }: { id: string; role: string }) => [id, role]),
      [[master, "admin"]],
    )
    rpc.close()
  })

  it("works where nobody brings agents, runs or sessions", async () => {
    const bare = await testGateway({ config: { plugins: { agents: { enabled: false }, providers: { enabled: false }, chat: { enabled: false }, sessions: { enabled: false } } } })
    try {
      equal((await fetch(`${bare.url}/health`)).status, 200)
      deepEqual(await (await bare.as("viewer").rpc()).call("status"), { agents: [], agentTotal: 0, clients: 1, sessions: 0 })
    } finally {
      await bare.close()
    }
  })
})
