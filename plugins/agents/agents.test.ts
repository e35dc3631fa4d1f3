import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUIDv7 } from "node:crypto"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

/** What an agent is before anybody says anything of it. */
const blank = {
  agent_type: "open",
  agent_description: "",
  context_window: 200_000,
  emoji: "",
  is_default: false,
  max_tokens: 0,
  restrict_to_workspace: true,
  self_evolve: false,
  skill_evolve: false,
  skill_nudge_interval: 15,
  status: "active",
  thinking_level: "",
}

describe("agents", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const admin = (tenant: string) => gateway.as("admin", tenant)
  const make = async (tenant: string, input: object) => (await admin(tenant).post("/v1/agents", input)).body
  const keysOf = (body: { agents: { agent_key: string }[] }) => body.agents.map(({ agent_key }) => agent_key)

  it("gives every tenant an agent default, on the tenant's own provider", async () => {
    const { body } = await gateway.as("viewer", "fresh").get("/v1/agents")
    equal(body.agents.length, 1)
    const [agent] = body.agents
    deepEqual(
      [agent.agent_key, agent.name, agent.display_name, agent.owner_id, agent.agent_type, agent.is_default, agent.provider],
      ["default", "default", "Default", "system", "predefined", true, "loopback"],
    )
    deepEqual([agent.tenant_id, agent.workspace, agent.status], [await gateway.tenant("fresh"), "workspace/default", "active"])
  })

  it("gives it also to a tenant whose first agent is another one, and lets it be made by hand while it is free", async () => {
    await make("other-first", { name: "other" })
    deepEqual(keysOf((await gateway.as("viewer", "other-first").get("/v1/agents")).body), ["default"])
    equal((await admin("by-hand").post("/v1/agents", { agent_key: "default", display_name: "Mine" })).body.display_name, "Mine")
    equal((await admin("by-hand").post("/v1/agents", { agent_key: "default" })).status, 409)
  })

  it("makes an agent of a name alone, and fills in the rest", async () => {
    const { status, body } = await gateway.as("admin", "acme", "anna").post("/v1/agents", { name: "helper" })
    equal(status, 201)
    const { id, created_at, updated_at, tenant_id, provider, model, ...rest } = body
    deepEqual(rest, {
      ...blank,
      agent_key: "helper",
      name: "helper",
      owner_id: "anna",
      workspace: "workspace/helper",
      max_tool_iterations: 30,
      memory_config: { enabled: true },
      compaction_config: {},
      other_config: { thinking_level: "", max_tokens: 0, self_evolve: false, skill_evolve: false, skill_nudge_interval: 15 },
    })
    match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    match(created_at + updated_at, /^(\d{4}-\d\d-\d\dT[\d:.]+Z){2}$/)
    deepEqual([tenant_id, provider], [await gateway.tenant("acme"), "loopback"])
    equal(typeof model, "string")
    for (const ref of [id, id.toUpperCase(), "helper"]) deepEqual((await gateway.as("admin", "acme").get(`/v1/agents/${ref}`)).body, body)
  })

  it("lists agents newest first, with the twin that the command-line client reads, in pages that are never an error", async () => {
    for (const name of ["one", "two", "three"]) await make("pages", { name })
    const all = (await admin("pages").get("/v1/agents")).body
    deepEqual(keysOf(all).slice(0, 3), ["three", "two", "one"])
    deepEqual(all.payload, all.agents)
    deepEqual(keysOf((await admin("pages").get("/v1/agents?limit=1&offset=1")).body), ["two"])
    for (const nonsense of ["limit=none&offset=-4", "limit=0", "limit=1e99&offset=1e99", "limit=-1", "limit=99999999999999999999"])
      equal((await admin("pages").get(`/v1/agents?${nonsense}`)).body.agents.length, all.agents.length, nonsense)
  })

  for (const [input, key, displayName] of [
    [{ agent_key: "by-key", name: "other", display_name: "Shown" }, "by-key", "Shown"],
    [{ name: "by-name" }, "by-name", undefined],
    [{ name: "Về Đà Nẵng" }, "ve-da-nang", "Về Đà Nẵng"],
    [{ display_name: "Customer Care!", name: "Ignored Name" }, "customer-care", "Customer Care!"],
    [{ name: "links", display_name: "Links" }, "links-2", "Links"],
  ] as const) {
    it(`makes the key ${key} of ${JSON.stringify(input)}`, async () => {
      const { status, body } = await admin("keys").post("/v1/agents", input)
      deepEqual([status, body.agent_key, body.display_name], [201, key, displayName])
    })
  }

  it("numbers keys that it makes of names over HTTP; over the socket a name that is taken is an error", async () => {
    const made = await Promise.all(Array.from({ length: 4 }, () => make("numbers", { display_name: "Same Name" })))
    deepEqual(made.map(({ agent_key }) => agent_key).sort(), ["same-name", "same-name-2", "same-name-3", "same-name-4"])
    const rpc = await admin("numbers").rpc()
    equal((await rpc.request("agents.create", { name: "Same Name" })).error?.code, "ALREADY_EXISTS")
  })

  it("refuses a key that is taken, in the tenant and nowhere else", async () => {
    await make("first", { agent_key: "same" })
    const again = await admin("first").post("/v1/agents", { agent_key: "same" })
    deepEqual([again.status, again.body.code], [409, "ALREADY_EXISTS"])
    equal((await make("second", { agent_key: "same" })).agent_key, "same")
  })

  for (const [why, input] of [
    ["no name at all", {}],
    ["a name without letters or digits", { name: "???" }],
    ["a key with capitals", { agent_key: "Helper" }],
    ["a key that ends in a dash", { agent_key: "helper-" }],
    ["a key of 101 letters", { agent_key: "a".repeat(101) }],
    ["a key that a path needs", { agent_key: "links" }],
    ["a key that looks like an id", { agent_key: "0195c9f0-1111-7a10-8b00-000000000001" }],
    ["a type that there is not", { name: "a", agent_type: "closed" }],
    ["a status that nobody can give", { name: "a", status: "summoning" }],
    ["a workspace outside the root", { name: "a", workspace: "workspace/../etc" }],
    ["a workspace elsewhere", { name: "a", workspace: "/etc" }],
    ["a text for a number", { name: "a", context_window: "1000" }],
    ["a number beyond an integer", { name: "a", max_tokens: 1e99 }],
    ["a list for an object", { name: "a", tools_config: [] }],
    ["a display name of 256 letters", { name: "a", display_name: "x".repeat(256) }],
    ["a text that the database cannot hold", { name: "a", system_prompt: "a\0b" }],
    ["half of a surrogate pair", { name: "a", other_config: { note: ["\ud83d"] } }],
  ] as const) {
    it(`refuses ${why}`, async () => {
      const { status, body } = await admin("refusals").post("/v1/agents", input)
      deepEqual([status, body.code], [400, "INVALID_REQUEST"], JSON.stringify(body))
    })
  }

  it("names the field, the rule and the type of what does not fit", async () => {
    const { body } = await admin("refusals").post("/v1/agents", { name: "a", context_window: "1000" })
    deepEqual(body.details, [{ path: "/context_window", rule: "type", message: "must be integer, not string" }])
  })

  it("takes every name that clients have for a thing, ignores what it does not know, and takes null for absent", async () => {
    const body = await make("names", {
      name: "names",
      description: "What it does",
      system_prompt: "Be brief.",
      monthly_cents: 500,
      context_window: 0,
      max_tool_iterations: -1,
      provider: null,
      status: null,
      grant_gateway_operator_access: true,
      owner_id: "mallory",
      id: randomUUIDv7(),
      restrict_to_workspace: false,
    })
    deepEqual([body.description, body.agent_description, body.other_config.description], ["What it does", "What it does", "What it does"])
    deepEqual([body.system_prompt, body.budget_monthly_cents, body.context_window, body.max_tool_iterations], ["Be brief.", 500, 200_000, 30])
    deepEqual([body.provider, body.status, body.owner_id, body.restrict_to_workspace], ["loopback", "active", "admin", true])
  })

  it("shows promoted fields in both places, and takes them from either; outside wins", async () => {
    const sharing = { shared_dm: true }
    const inside = await make("promoted", { name: "in", other_config: { emoji: "🦊", max_tokens: 9, workspace_sharing: sharing, kept: { a: [1] } } })
    deepEqual([inside.emoji, inside.max_tokens, inside.workspace_sharing], ["🦊", 9, sharing])
    deepEqual([inside.other_config.emoji, inside.other_config.workspace_sharing, inside.other_config.kept], ["🦊", sharing, { a: [1] }])
    const outside = await make("promoted", { name: "out", emoji: "🐙", shell_deny_groups: { net: true }, other_config: { emoji: "🦊", shell_deny_groups: { net: false } } })
    deepEqual([outside.emoji, outside.other_config.emoji, outside.shell_deny_groups, outside.other_config.shell_deny_groups], ["🐙", "🐙", { net: true }, { net: true }])
  })

  it("changes what is named and nothing else; null clears, objects are replaced", async () => {
    const made = await make("changes", { name: "one", display_name: "One", emoji: "🦊", budget_monthly_cents: 1, tools_config: { allow: ["a"], deny: ["b"] } })
    const put = async (change: object) => (await admin("changes").put("/v1/agents/one", change)).body
    const changed = await put({ display_name: "Two", tools_config: { allow: ["c"] }, unknown: 1 })
    equal(changed.ok, "true")
    deepEqual({ ...changed.agent, updated_at: made.updated_at }, { ...made, display_name: "Two", tools_config: { allow: ["c"] } })
    const { agent } = await put({ emoji: null, budget_monthly_cents: null, tools_config: null, display_name: null })
    deepEqual([agent.emoji, "budget_monthly_cents" in agent, "tools_config" in agent, agent.display_name], ["", false, false, "Two"])
    // What a dashboard does: the whole object, as it was shown.
    const whole = (await put(agent)).agent
    deepEqual({ ...whole, updated_at: agent.updated_at }, agent)
    deepEqual((await admin("changes").get(`/v1/agents/${made.id}`)).body, whole)
  })

  it("renames a key, unless it is taken, also by those who take one at once", async () => {
    const made = await Promise.all(["a", "b", "c", "d"].map((name) => make("renames", { name })))
    equal((await admin("renames").put("/v1/agents/a", { agent_key: "b" })).status, 409)
    equal((await admin("renames").put("/v1/agents/a", { agent_key: "B" })).status, 400)
    const answers = await Promise.all([
      ...made.map(({ id }) => admin("renames").put(`/v1/agents/${id}`, { agent_key: "wanted" })),
      admin("renames").post("/v1/agents", { agent_key: "wanted" }),
    ])
    deepEqual(answers.map(({ status }) => (status < 300 ? "made" : status)).sort(), [409, 409, 409, 409, "made"])
  })

  it("has one default a tenant", async () => {
    await admin("defaults").get("/v1/agents")
    await make("defaults", { name: "mine", is_default: true })
    const { agents } = (await admin("defaults").get("/v1/agents")).body
    deepEqual(
      agents.map(({ agent_key, is_default }: { agent_key: string; is_default: boolean }) => [agent_key, is_default]),
      [
        ["mine", true],
        ["default", false],
      ],
    )
  })

  it("removes an agent, but never the one that everybody gets", async () => {
    const { id } = await make("removals", { name: "gone" })
    deepEqual((await admin("removals").delete("/v1/agents/gone")).body, { ok: "true" })
    for (const ref of [id, "gone", randomUUIDv7(), "not-a-uuid", "%00", "x%2Fy"]) {
      const { status, body } = await admin("removals").delete(`/v1/agents/${ref}`)
      deepEqual([status, body.code], [404, "NOT_FOUND"], ref)
      equal((await admin("removals").get(`/v1/agents/${ref}`)).status, 404, ref)
    }
    const { status, body } = await admin("removals").delete("/v1/agents/default")
    deepEqual([status, body.code], [400, "INVALID_REQUEST"])
  })

  it("leaves a line in the audit log for every write", async () => {
    const { id } = await make("audited", { name: "seen" })
    await admin("audited").put("/v1/agents/seen", { display_name: "Seen" })
    await admin("audited").delete("/v1/agents/seen")
    const { rows } = await gateway.executeSql("SELECT action, actor_id FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [id])
    deepEqual(rows, [
      { action: "agent.created", actor_id: "admin" },
      { action: "agent.updated", actor_id: "admin" },
      { action: "agent.deleted", actor_id: "admin" },
    ])
  })
})
