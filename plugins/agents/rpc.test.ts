import { deepEqual, equal, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("agents on the socket", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const socketOf = (tenant: string) => gateway.as("admin", tenant).rpc()

  it("are made, changed and removed, by key or by id", async () => {
    const rpc = await socketOf("acme")
    deepEqual(await rpc.call("agents.create", { name: "Care Team", agent_type: "predefined", emoji: "🦊" }), {
      ok: true,
      agentId: "care-team",
      name: "Care Team",
      workspace: "workspace/care-team",
    })
    const { id } = (await gateway.as("admin", "acme").get("/v1/agents/care-team")).body
    deepEqual(await rpc.call("agents.update", { agentId: id, name: "Carers", agent_description: "They care", avatar: "https://example.com/a.png" }), {
      ok: true,
      agentId: "care-team",
    })
    deepEqual(await rpc.call("agents.delete", { agent_id: "care-team" }), { ok: true, agentId: "care-team", removedBindings: 0 })
    equal((await rpc.request("agents.delete", { agentId: id })).error?.code, "NOT_FOUND")
    equal((await rpc.request("agents.delete", { agentId: "default" })).error?.code, "INVALID_REQUEST")
    equal((await rpc.request("agents.delete", {})).error?.code, "INVALID_REQUEST")
  })

  it("are listed while they are active, without anything that only an editor needs", async () => {
    const rpc = await socketOf("listed")
    await rpc.call("agents.create", { name: "sleeper" })
    await rpc.call("agents.update", { agentId: "sleeper", status: "inactive" })
    const { agents } = await rpc.call("agents.list")
    equal(agents.length, 1)
    const { model, ...rest } = agents[0]
    deepEqual(rest, { id: "default", name: "Default", provider: "loopback", agentType: "predefined", status: "active", isRunning: false })
    ok(model !== "")
  })

  it("have a face: of the one that is named, by its session, or of the default one", async () => {
    const rpc = await socketOf("faces")
    await rpc.call("agents.create", { name: "Fox", emoji: "🦊", avatar: "https://example.com/fox.png", agent_description: "Sly" })
    const fox = { agentId: "fox", name: "Fox", emoji: "🦊", avatar: "https://example.com/fox.png", description: "Sly" }
    deepEqual(await rpc.call("agent.identity.get", { agentId: "fox" }), fox)
    deepEqual(await rpc.call("agent.identity.get", { sessionKey: "agent:fox:ws:direct:1" }), fox)
    deepEqual(await rpc.call("agent.identity.get"), { agentId: "default", name: "Default" })
    equal((await rpc.request("agent.identity.get", { agentId: "nobody" })).error?.code, "NOT_FOUND")
  })

  it("say whether they run", async () => {
    const rpc = await socketOf("running")
    deepEqual(await rpc.call("agent"), { id: "default", isRunning: false })
    const sent = rpc.request("chat.send", { message: "/slow 600 100", sessionKey: "agent:default:ws:direct:slow" })
    await rpc.next("agent", ({ type }) => type === "run.started")
    deepEqual(await rpc.call("agent", { agentId: "default" }), { id: "default", isRunning: true })
    equal((await rpc.call("agents.list")).agents[0].isRunning, true)
    await rpc.call("chat.abort", { sessionKey: "agent:default:ws:direct:slow" })
    await sent
    deepEqual(await rpc.call("agent"), { id: "default", isRunning: false })
    equal((await rpc.request("agent", { agentId: "nobody" })).error?.code, "NOT_FOUND")
  })

  it("are announced a second after they were made, to admins and to their owner", async () => {
    const [admin, owner, stranger] = await Promise.all([socketOf("summoned"), gateway.as("operator", "summoned", "otto").rpc(), gateway.as("operator", "summoned", "vera").rpc()])
    const began = performance.now()
    await admin.call("agents.create", { name: "new", owner_ids: ["otto"] })
    const { id } = (await gateway.as("admin", "summoned").get("/v1/agents/new")).body
    await owner.next("agent.summoning", ({ type }) => type === "completed")
    ok(performance.now() - began >= 1_000)
    await admin.next("agent.summoning", ({ type }) => type === "completed")
    for (const socket of [admin, owner]) {
      deepEqual(
        socket.events.flatMap(({ event, payload }) => (event === "agent.summoning" ? [payload] : [])),
        [
          { agent_id: id, type: "started" },
          { agent_id: id, type: "file_generated", file: "SOUL.md" },
          { agent_id: id, type: "file_generated", file: "IDENTITY.md" },
          { agent_id: id, type: "completed" },
        ],
      )
    }
    equal(
      stranger.events.some(({ event }) => event === "agent.summoning"),
      false,
    )
  })
})
