import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("activity", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  const actions = (body: { logs: { action: string; actor_id: string }[] }) => body.logs.map(({ action, actor_id }) => `${actor_id}: ${action}`)

  it("tells who changed what, from where and when", async () => {
    const admin = await gateway.as("admin", "acme", "anna")
    const agent = (await admin.post("/v1/agents", { name: "helper" })).body
    const { status, body } = await admin.get("/v1/activity?action=agent.created&actor_id=anna&limit=1")
    equal(status, 200)
    const [{ id, created_at, ip_address, ...entry }] = body.logs
    match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    match(created_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    match(ip_address, /^(127\.0\.0\.1|::1)$/)
    deepEqual(entry, { actor_type: "user", actor_id: "anna", action: "agent.created", entity_type: "agent", entity_id: agent.id, details: { agent_key: "helper" } })
    deepEqual([body.total >= 1, body.limit, body.offset], [true, 1, 0])
  })

  it("lists the latest first, page by page, and clamps instead of failing", async () => {
    const admin = await gateway.as("admin", "pages", "anna")
    for (const name of ["one", "two", "three"]) await admin.post("/v1/agents", { name })
    const only = "/v1/activity?action=agent.created&actor_id=anna"
    const names = async (query: string) => (await admin.get(`${only}${query}`)).body.logs.map(({ details }: { details: { agent_key: string } }) => details.agent_key)
    deepEqual((await names("")).slice(0, 3), ["three", "two", "one"])
    deepEqual(await names("&limit=1&offset=1"), ["two"])
    const odd = (await admin.get(`${only}&limit=5000&offset=-1`)).body
    deepEqual([odd.limit, odd.offset], [200, 0])
    equal((await admin.get(`${only}&limit=none`)).body.limit, 50)
  })

  it("narrows by each filter exactly, and takes an empty one for none", async () => {
    const admin = await gateway.as("admin", "filters", "anna")
    const { id } = (await admin.post("/v1/agents", { name: "helper" })).body
    await admin.put(`/v1/agents/${id}`, { display_name: "Helper" })
    deepEqual(actions((await admin.get(`/v1/activity?entity_type=agent&entity_id=${id}`)).body), ["anna: agent.updated", "anna: agent.created"])
    deepEqual((await admin.get("/v1/activity?action=agent")).body.logs, [])
    deepEqual((await admin.get("/v1/activity?actor_type=system&actor_id=anna")).body, { logs: [], total: 0, limit: 50, offset: 0, payload: [] })
    ok((await admin.get("/v1/activity?action=&entity_type=")).body.total >= 2)
  })

  it("shows those below admin what they did, whomever they ask for", async () => {
    const operator = await gateway.as("operator", "acme", "otto")
    const { id } = (await gateway.as("admin", "acme", "anna").post("/v1/agents", { name: "of-otto", owner_ids: ["otto"] })).body
    equal((await operator.put(`/v1/agents/${id}`, { display_name: "Mine" })).status, 200)
    for (const query of ["", "?actor_id=anna"]) deepEqual(actions((await operator.get(`/v1/activity${query}`)).body), ["otto: agent.updated"])
    deepEqual((await gateway.as("viewer", "acme", "vera").get("/v1/activity")).body.logs, [])
  })

  it("shows nothing of another tenant, to owners neither", async () => {
    await gateway.as("admin", "acme", "anna").post("/v1/agents", { name: "secret-plan" })
    const { body } = await gateway.as("owner", "globex").get("/v1/activity")
    equal(JSON.stringify(body).includes("secret-plan"), false)
  })

  it("repeats the rows under payload for the command-line client alone", async () => {
    const admin = await gateway.as("admin", "acme", "anna")
    const { body } = await admin.get("/v1/activity")
    deepEqual(body.payload, body.logs)
    equal("payload" in (await admin.get("/v1/activity", { "x-goclaw-user-id": "anna" })).body, false)
  })

  it("tells of nothing that failed", async () => {
    const admin = await gateway.as("admin", "failures", "anna")
    const { id } = (await admin.post("/v1/agents", { name: "helper" })).body
    equal((await admin.post("/v1/agents", { agent_key: "helper" })).status, 409)
    equal((await admin.put(`/v1/agents/${id}`, { agent_key: "No Slug" })).status, 400)
    deepEqual(actions((await admin.get(`/v1/activity?entity_id=${id}`)).body), ["anna: agent.created"])
    const created = (await admin.get("/v1/activity?action=agent.created")).body.logs
    equal(created.filter(({ details }: { details: { agent_key: string } }) => details.agent_key === "helper").length, 1)
  })
})
