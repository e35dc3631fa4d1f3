import { deepEqual, equal, ok } from "node:assert/strict"
import { AgentLinks, type AgentLinksService, Agents, type AgentsService, type Caller, defineManifest, definePlugin, type Remote } from "@plugboard/sdk"
import { type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"

/** Reads the services as a plugin that delegates would. */
let asked: { links: Remote<AgentLinksService>; agents: Remote<AgentsService>; caller: Caller }
const asking = definePlugin(
  defineManifest({
    id: "asking",
    version: "1.0.0",
    sdk: "^1.0.0",
    requires: [AgentLinks, Agents],
    routes: { ask: { method: "GET", path: "/v1/x/asking", role: "viewer", summary: "Ask", reply: Type.Object({}) } },
  }),
  (host) => ({
    routes: {
      ask: async ({ caller }) => {
        asked = { links: host.use(AgentLinks), agents: host.use(Agents), caller }
        return {}
      },
    },
  }),
)

describe("agent links", () => {
  let gateway: TestGateway
  let admin: TestClient
  let rpc: RpcClient
  before(async () => {
    gateway = await testGateway({ plugins: [asking] })
    admin = await gateway.as("admin", "acme", "anna")
    rpc = await admin.rpc()
    for (const key of ["lead", "writer", "artist", "editor"])
      await admin.post("/v1/agents", { agent_key: key, agent_type: "predefined", display_name: key.toUpperCase(), emoji: "🦊" })
    await admin.post("/v1/agents", { agent_key: "personal", agent_type: "open" })
    await gateway.as("viewer", "acme", "vera").get("/v1/x/asking")
  })
  after(() => gateway.close())
  const idOf = async (key: string) => (await admin.get(`/v1/agents/${key}`)).body.id as string
  const link = async (source: string, target: string, more: object = {}) => (await rpc.call("agents.links.create", { sourceAgent: source, targetAgent: target, ...more })).link
  const targets = async (key: string) => (await asked.links.targets(asked.caller, await idOf(key))).map(({ target }) => target.key)

  it("are made, listed, changed and removed over the socket, and admins are told", async () => {
    const made = await link("lead", await idOf("writer"), { maxConcurrent: 5, description: "Words" })
    const { id, created_at, updated_at, ...rest } = made
    deepEqual(rest, {
      source_agent_id: await idOf("lead"),
      target_agent_id: await idOf("writer"),
      direction: "outbound",
      description: "Words",
      max_concurrent: 5,
      status: "active",
      created_by: "anna",
      source_agent_key: "lead",
      source_display_name: "LEAD",
      source_emoji: "🦊",
      target_agent_key: "writer",
      target_display_name: "WRITER",
      target_emoji: "🦊",
      target_description: "",
    })
    const keys = { link_id: id, source_agent_key: "lead", target_agent_key: "writer" }
    const { direction, status, source_agent_id, target_agent_id } = rest
    deepEqual((await rpc.next("agent_link.created")).payload, { ...keys, direction, status, source_agent_id, target_agent_id })
    deepEqual(await rpc.call("agents.links.list", { agentId: "lead" }), { links: [made], count: 1 })
    deepEqual(await rpc.call("agents.links.update", { linkId: id, status: "disabled", maxConcurrent: 5 }), { ok: true })
    deepEqual((await rpc.next("agent_link.updated")).payload, { ...keys, direction, status: "disabled", changes: ["status"] })
    deepEqual(await rpc.call("agents.links.delete", { linkId: id }), { ok: true })
    deepEqual((await rpc.next("agent_link.deleted")).payload, keys)
    const log = (await admin.get(`/v1/activity?entity_id=${id}`)).body.logs.map(({ action, entity_type }: Record<string, string>) => [action, entity_type])
    deepEqual(
      log,
      ["deleted", "updated", "created"].map((what) => [`agent_link.${what}`, "agent_link"]),
    )
  })

  it("have keys of both agents beside them over HTTP, where today's command-line client looks", async () => {
    const { status, body } = await admin.post("/v1/agents/links", { source_agent: "editor", target_agent: "artist", id: "made-up", created_by: "mallory" })
    deepEqual([status, body.source_agent, body.target_agent, body.max_concurrent, body.created_by], [201, "editor", "artist", 3, "anna"])
    const listed = (await admin.get("/v1/agents/links")).body
    deepEqual([listed.links, listed.payload, listed.count], [[body], [body], 1])
    deepEqual((await admin.put(`/v1/agents/links/${body.id}`, { max_concurrent: 2, target_agent_id: body.source_agent_id })).body, { ok: true })
    deepEqual((await admin.delete(`/v1/agents/links/${body.id}`)).body, { ok: true })
  })

  for (const [why, source, target, more, code] of [
    ["an agent and itself", "lead", "lead", {}, "INVALID_REQUEST"],
    ["a target that is open", "lead", "personal", {}, "INVALID_REQUEST"],
    ["an agent that there is not", "lead", "nobody", {}, "NOT_FOUND"],
    ["no place at all", "lead", "writer", { maxConcurrent: 0 }, "INVALID_REQUEST"],
    ["a direction that there is not", "lead", "writer", { direction: "up" }, "INVALID_REQUEST"],
  ] as const) {
    it(`are refused between ${why}`, async () => {
      equal((await rpc.request("agents.links.create", { sourceAgent: source, targetAgent: target, ...more })).error?.code, code)
    })
  }

  it("are one for each pair, and none once removed", async () => {
    const { id } = await link("artist", "writer")
    equal((await rpc.request("agents.links.create", { sourceAgent: "artist", targetAgent: "writer" })).error?.code, "ALREADY_EXISTS")
    equal((await admin.post("/v1/agents/links", { source_agent: "artist", target_agent: "writer" })).status, 409)
    await rpc.call("agents.links.delete", { linkId: id })
    for (const call of [admin.put(`/v1/agents/links/${id}`, {}), admin.delete(`/v1/agents/links/${id}`), admin.delete("/v1/agents/links/nonsense")]) equal((await call).status, 404)
  })

  it("are listed from an agent, to it, or both", async () => {
    const made = [await link("writer", "editor"), await link("editor", "lead")]
    const ids = async (direction?: string) =>
      (await rpc.call("agents.links.list", { agentId: "editor", ...(direction && { direction }) })).links.map(({ id }: { id: string }) => id)
    deepEqual([await ids(), await ids("from"), await ids("to"), await ids("all")], [[made[1].id], [made[1].id], [made[0].id], [made[1].id, made[0].id]])
    for (const { id } of made) await rpc.call("agents.links.delete", { linkId: id })
  })

  it("let agents hand work on by their direction, while they and their targets are active; a change counts at once, and warm look-ups ask no database", async () => {
    const made = await link("lead", "writer", { direction: "bidirectional", maxConcurrent: 7, settings: { tone: "dry" } })
    await link("artist", "lead", { direction: "inbound" })
    deepEqual([await targets("lead"), await targets("writer"), await targets("artist")], [["artist", "writer"], ["lead"], []])
    const [lead, writer] = [await idOf("lead"), await idOf("writer")]
    const found = await asked.links.between(asked.caller, lead, writer)
    deepEqual([found?.id, found?.target.key, found?.maxConcurrent, found?.settings], [made.id, "writer", 7, { tone: "dry" }])
    equal(await asked.links.between(asked.caller, await idOf("artist"), "lead"), null)
    // Until nothing else of the gateway's own asked the database meanwhile.
    for (let before = -1; before !== gateway.statements.count; ) {
      before = gateway.statements.count
      await asked.links.between(asked.caller, lead, "writer")
    }
    await rpc.call("agents.links.update", { linkId: made.id, status: "disabled" })
    deepEqual(await targets("lead"), ["artist"])
    await rpc.call("agents.update", { agentId: "artist", status: "inactive" })
    deepEqual(await targets("lead"), [])
  })

  it("go with their agent", async () => {
    await admin.post("/v1/agents", { agent_key: "short-lived", agent_type: "predefined" })
    await link("lead", "short-lived")
    ok((await targets("lead")).includes("short-lived"))
    await admin.delete("/v1/agents/short-lived")
    ok(!(await targets("lead")).includes("short-lived"))
    equal((await gateway.executeSql("SELECT 1 FROM agent_links.links l WHERE NOT EXISTS (SELECT FROM agents.agents a WHERE a.id = l.target_agent_id)")).rows.length, 0)
  })

  it("are shown below admin between agents that the caller may use, and in other tenants not at all", async () => {
    const made = await link("editor", "writer")
    const vera = await gateway.as("viewer", "acme", "vera")
    const socket = await vera.rpc()
    equal((await socket.request("agents.links.list", { agentId: "editor" })).error?.code, "NOT_FOUND")
    await gateway.executeSql("UPDATE agents.agents SET owner_id = 'vera' WHERE agent_key = 'editor'")
    deepEqual((await socket.call("agents.links.list")).links, [])
    await gateway.executeSql("UPDATE agents.agents SET owner_id = 'vera' WHERE agent_key = 'writer'")
    deepEqual(
      (await socket.call("agents.links.list")).links.map(({ id }: { id: string }) => id),
      [made.id],
    )
    deepEqual((await vera.get("/v1/agents/links")).body.count, 1)
    const stranger = await gateway.as("admin", "globex", "mallory")
    deepEqual((await stranger.get("/v1/agents/links")).body.links, [])
    for (const call of [stranger.put(`/v1/agents/links/${made.id}`, {}), stranger.delete(`/v1/agents/links/${made.id}`)]) equal((await call).status, 404)
  })
})
