import { deepEqual, equal, ok } from "node:assert/strict"
import { randomUUIDv7 } from "node:crypto"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("who may use and change an agent", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const tenant = "acme"
  const as = (role: "viewer" | "operator" | "admin", user: string) => gateway.as(role, tenant, user)
  /** An agent of that user's. */
  async function agentOf(user: string, key: string) {
    const rpc = await as("admin", "anna").rpc()
    await rpc.call("agents.create", { name: key, owner_ids: [user] })
    return (await as("admin", "anna").get(`/v1/agents/${key}`)).body
  }

  it("is its owner, whoever has a share, and for a default everybody", async () => {
    const { id } = await agentOf("otto", "ottos")
    const sees = async (user: string) => (await as("viewer", user).get("/v1/agents")).body.agents.map(({ agent_key }: { agent_key: string }) => agent_key)
    deepEqual([await sees("otto"), await sees("vera")], [["ottos", "default"], ["default"]])
    for (const ref of [id, "ottos"]) {
      const { status, body } = await as("viewer", "vera").get(`/v1/agents/${ref}`)
      deepEqual([status, body.code], [404, "NOT_FOUND"])
      equal((await as("viewer", "otto").get(`/v1/agents/${ref}`)).status, 200)
    }
    await gateway.executeSql("INSERT INTO agents.shares (id, tenant_id, agent_id, user_id, granted_by) VALUES ($1, $2, $3, 'vera', 'otto')", [
      randomUUIDv7(),
      await gateway.tenant(tenant),
      id,
    ])
    deepEqual(await sees("vera"), ["ottos", "default"])
    equal((await as("viewer", "vera").get("/v1/agents/ottos")).status, 200)
  })

  it("sees one that may be used but not changed refused with 403, and one that may not be used with 404", async () => {
    await agentOf("otto", "guarded")
    const change = { display_name: "Mine" }
    equal((await as("operator", "otto").put("/v1/agents/guarded", change)).status, 200)
    equal((await as("operator", "mallory").put("/v1/agents/guarded", change)).status, 404)
    const { status, body } = await as("operator", "mallory").put("/v1/agents/default", change)
    deepEqual([status, body.code], [403, "UNAUTHORIZED"])
    equal((await as("viewer", "otto").put("/v1/agents/guarded", change)).status, 403)
    equal((await as("admin", "anna").put("/v1/agents/guarded", change)).status, 200)
  })

  it("takes admins to make and remove one", async () => {
    await agentOf("otto", "stays")
    equal((await as("operator", "otto").post("/v1/agents", { name: "new" })).status, 403)
    equal((await as("operator", "otto").delete("/v1/agents/stays")).status, 403)
    const rpc = await as("operator", "otto").rpc()
    equal((await rpc.request("agents.create", { name: "new" })).error?.code, "UNAUTHORIZED")
    equal((await rpc.request("agents.delete", { agentId: "stays" })).error?.code, "UNAUTHORIZED")
  })

  it("lets admins alone give an agent away", async () => {
    await agentOf("otto", "kept")
    await (await as("operator", "otto").rpc()).call("agents.update", { agentId: "kept", owner_ids: ["mallory"] })
    equal((await as("admin", "anna").get("/v1/agents/kept")).body.owner_id, "otto")
    await (await as("admin", "anna").rpc()).call("agents.update", { agentId: "kept", owner_ids: ["vera"] })
    equal((await as("admin", "anna").get("/v1/agents/kept")).body.owner_id, "vera")
  })

  it("holds on the socket too", async () => {
    const { id } = await agentOf("otto", "hidden")
    const rpc = await as("operator", "mallory").rpc()
    for (const ref of [id, "hidden"]) {
      for (const method of ["agent", "agent.identity.get", "agents.update"]) equal((await rpc.request(method, { agentId: ref })).error?.code, "NOT_FOUND", method)
    }
    equal((await rpc.request("agents.update", { agentId: "default", name: "x" })).error?.code, "UNAUTHORIZED")
    ok(!(await rpc.call("agents.list")).agents.some((agent: { id: string }) => agent.id === "hidden"))
  })

  it("is nobody of another tenant", async () => {
    const { id } = await agentOf("otto", "ours")
    const admin = gateway.as("admin", "globex", "otto")
    for (const call of [admin.get(`/v1/agents/${id}`), admin.put(`/v1/agents/${id}`, {}), admin.delete(`/v1/agents/${id}`), admin.get("/v1/agents/ours")])
      equal((await call).status, 404)
  })
})

describe("shares of an agent", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
    await gateway.as("admin", "acme", "anna").post("/v1/agents", { agent_key: "team", system_prompt: "Be brief." })
    await (await gateway.as("admin", "acme", "anna").rpc()).call("agents.update", { agentId: "team", owner_ids: ["otto"] })
  })
  after(() => gateway.close())
  const otto = (role: "viewer" | "operator" = "operator") => gateway.as(role, "acme", "otto")

  it("let a user in at once, and out", async () => {
    const vera = gateway.as("viewer", "acme", "vera/2@home")
    equal((await vera.get("/v1/agents/team")).status, 404)
    const { status, body } = await otto().post("/v1/agents/team/shares", { user_id: "vera/2@home" })
    deepEqual([status, body], [201, { ok: "true" }])
    equal((await vera.get("/v1/agents/team")).status, 200)
    await otto().post("/v1/agents/team/shares", { user_id: "vera/2@home", role: "viewer" })
    const listed = (await otto("viewer").get("/v1/agents/team/shares")).body
    deepEqual(listed.payload, listed.shares)
    const [{ user_id, role, granted_by, agent_id }, more] = listed.shares
    deepEqual([user_id, role, granted_by, more], ["vera/2@home", "viewer", "otto", undefined])
    for (let time = 0; time < 2; time += 1) deepEqual((await otto().delete("/v1/agents/team/shares/vera%2F2@home")).body, { ok: "true" })
    equal((await vera.get("/v1/agents/team")).status, 404)
    const actions = (await gateway.as("admin", "acme", "anna").get(`/v1/activity?entity_id=${agent_id}&limit=3`)).body.logs.map(({ action }: { action: string }) => action)
    deepEqual(actions, ["agent.share_revoked", "agent.shared", "agent.shared"])
  })

  it("are as many as an agent's row carries", async () => {
    await gateway.executeSql(
      "INSERT INTO agents.shares (id, tenant_id, agent_id, user_id, granted_by) SELECT gen_random_uuid(), tenant_id, id, 'user ' || n, 'otto' FROM agents.agents, generate_series(1, 1000) n WHERE agent_key = 'team'",
    )
    equal((await otto().post("/v1/agents/team/shares", { user_id: "one more" })).status, 409)
    equal((await otto().post("/v1/agents/team/shares", { user_id: "user 7", role: "admin" })).status, 201)
  })

  it("and the prompt of an agent are its owner's to see", async () => {
    const { prompt, sections } = (await otto("viewer").get("/v1/agents/team/system-prompt-preview")).body
    deepEqual([prompt, sections], ["Be brief.", [{ key: "agent", chars: 9 }]])
    equal((await gateway.executeSql("SELECT 1 FROM agent_files.instances")).rows.length, 0)
    for (const [role, tenant, user, status] of [
      ["operator", "acme", "user 1", 403],
      ["operator", "acme", "mallory", 404],
      ["admin", "globex", "otto", 404],
      ["admin", "acme", "anna", 200],
    ] as const) {
      const client = await gateway.as(role, tenant, user)
      for (const call of [client.get("/v1/agents/team/shares"), client.get("/v1/agents/team/system-prompt-preview"), client.delete("/v1/agents/team/shares/nobody")])
        equal((await call).status, status, `${role} ${user}`)
    }
  })
})
