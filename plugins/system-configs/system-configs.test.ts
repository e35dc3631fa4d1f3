import { deepEqual, equal, match } from "node:assert/strict"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const path = (key: string) => `/v1/system-configs/${key}`

describe("system configuration", () => {
  let gateway: TestGateway
  let admin: TestClient
  before(async () => {
    gateway = await testGateway()
    admin = await gateway.as("admin", "acme", "anna")
  })
  after(() => gateway.close())

  const rowsFor = async (user?: string) => {
    const headers = { authorization: `Bearer ${gateway.token}`, "x-goclaw-tenant-id": "acme", ...(user && { "x-goclaw-user-id": user }) }
    return (await (await fetch(`${gateway.url}/v1/system-configs`, { headers })).json()) as Record<string, unknown>
  }

  it("keeps texts under keys, shows them in one object, and in rows to the command-line client", async () => {
    deepEqual((await admin.put(path("gateway.intent_classify"), { value: "false" })).body, { key: "gateway.intent_classify", value: "false" })
    // The command-line client sends an empty value as nothing.
    deepEqual((await admin.put(path("empty"), {})).body, { key: "empty", value: "" })
    deepEqual(await rowsFor("system"), { empty: "", "gateway.intent_classify": "false" })
    const { payload, ...rest } = await rowsFor()
    deepEqual(rest, { empty: "", "gateway.intent_classify": "false" })
    const [row] = payload as Record<string, string>[]
    deepEqual([row?.key, row?.value, Object.keys(row ?? {})], ["empty", "", ["key", "value", "updated_at"]])
    deepEqual((await (await gateway.as("viewer", "acme")).get(path("gateway.intent_classify"))).body, { key: "gateway.intent_classify", value: "false" })
  })

  it("says 404 of what is not set, also of another tenant's, and removes twice alike", async () => {
    await admin.put(path("mine"), { value: "1" })
    equal((await (await gateway.as("admin", "globex")).get(path("mine"))).status, 404)
    for (const _ of [1, 2]) deepEqual((await admin.delete(path("mine"))).body, { status: "deleted" })
    const { status, body } = await admin.get(path("alert.background.provider_error"))
    deepEqual([status, body.code], [404, "NOT_FOUND"])
  })

  it("refuses keys that are none, that clients take for something else, or that name a secret", async () => {
    for (const key of ["payload", "ok", "error", "a%20b", "x".repeat(101), "openai.api_key", "telegram.botToken", "db.password", "x.privateKey", "smtp-credentials"]) {
      const { status, body } = await admin.put(path(key), { value: "v" })
      deepEqual([status, body.code], [400, "INVALID_REQUEST"], key)
    }
    for (const key of ["compaction.max_tokens", "list.sort_key", "tokens.per_minute"]) equal((await admin.put(path(key), { value: "1" })).status, 200, key)
  })

  it("bounds a value and all of a tenant's", async () => {
    const full = await gateway.as("admin", "full")
    equal((await full.put(path("long"), { value: "ü".repeat(33_000) })).status, 400)
    for (let at = 0; at < 16; at += 1) equal((await full.put(path(`big.${at}`), { value: "x".repeat(65_536) })).status, 200)
    equal((await full.put(path("one.more"), { value: "x" })).status, 409)
    equal((await full.get(path("one.more"))).status, 404)
  })

  it("is written by admins, with an entry in the audit log that does not tell the value", async () => {
    equal((await (await gateway.as("operator", "acme")).put(path("x"), { value: "1" })).status, 403)
    await admin.put(path("audited"), { value: "quiet-value" })
    const { logs } = (await admin.get("/v1/activity?entity_type=system_config&entity_id=audited")).body
    deepEqual([logs.length, logs[0].action, logs[0].actor_id], [1, "system_config.set", "anna"])
    equal(JSON.stringify(logs).includes("quiet-value"), false)
  })

  it("names the provider and model of agents that name none, new ones and old ones alike", async () => {
    const chosen = await gateway.as("admin", "chosen")
    for (const name of ["first", "second"]) await chosen.post("/v1/providers", { name, provider_type: "loopback" })
    const defaults = async () => (await chosen.get("/v1/agents")).body.agents.find(({ agent_key }: { agent_key: string }) => agent_key === "default")
    equal((await defaults()).provider, "first")
    await chosen.put(path("agent.default_provider"), { value: "second" })
    await chosen.put(path("agent.default_model"), { value: "echo-2" })
    const { provider, model } = await defaults()
    deepEqual([provider, model], ["second", "echo-2"])
    const made = (await chosen.post("/v1/agents", { agent_key: "made" })).body
    deepEqual([made.provider, made.model], ["second", "echo-2"])
    await chosen.put(path("agent.default_provider"), { value: "nobody" })
    match((await defaults()).provider, /first/)
  })

  it("forgets the alert when a model or provider is chosen", async () => {
    await admin.put(path("alert.background.provider_error"), { value: "{}" })
    await admin.put(path("background.model"), { value: "small" })
    equal((await admin.get(path("alert.background.provider_error"))).status, 404)
  })
})
