import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { startUpstream, type Upstream } from "../../test/upstream/openai.ts"

const apiKey = "sk-canary-0123456789abcdef"
const row = { provider_type: "openai_compat", api_key: apiKey }

describe("providers", () => {
  let gateway: TestGateway
  let upstream: Upstream
  before(async () => {
    upstream = await startUpstream({ key: apiKey })
    gateway = await testGateway({ config: { network: { allowPrivateHosts: ["127.0.0.1"] } } })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
    equal(
      gateway.logs.some((line) => line.includes(apiKey)),
      false,
      "a key stands in the log",
    )
  })
  const admin = (tenant: string) => gateway.as("admin", tenant)
  const make = async (tenant: string, name: string, more: object = {}) => (await admin(tenant).post("/v1/providers", { ...row, name, api_base: upstream.url, ...more })).body
  const audit = async (id: string) =>
    (await gateway.executeSql("SELECT action, actor_id, tenant_id::text FROM kernel.activity WHERE entity_id = $1 AND entity_type = 'provider' ORDER BY created_at", [id])).rows

  it("gives every tenant an offline provider as long as it has no other, and shows it as one that works", async () => {
    const { body } = await gateway.as("viewer", "fresh").get("/v1/providers")
    equal(body.providers.length, 1)
    const { id: _, created_at: __, updated_at: ___, tenant_id, ...shown } = body.providers[0]
    deepEqual(shown, { name: "loopback", provider_type: "loopback", api_key: "***", enabled: true, settings: {} })
    equal(tenant_id, await gateway.tenant("fresh"))
    equal((await gateway.as("viewer", "fresh").get("/v1/providers")).body.providers[0].id, body.providers[0].id)
  })

  it("makes a provider and shows it without its key, everywhere", async () => {
    const { status, body } = await admin("acme").post("/v1/providers", { ...row, name: "main", display_name: "Main", api_base: `${upstream.url}/`, settings: { x: [1] } })
    equal(status, 201)
    const { id, tenant_id, created_at, updated_at, ...rest } = body
    deepEqual(rest, { name: "main", display_name: "Main", provider_type: "openai_compat", api_base: upstream.url, api_key: "***", enabled: true, settings: { x: [1] } })
    match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    match(created_at + updated_at, /^(\d{4}-\d\d-\d\dT[\d:.]+Z){2}$/)
    const viewer = gateway.as("viewer", "acme")
    deepEqual((await viewer.get(`/v1/providers/${id}`)).body, body)
    deepEqual((await viewer.get("/v1/providers/main")).body, body)
    const list = (await viewer.get("/v1/providers")).body
    deepEqual(
      list.providers.filter(({ name }: { name: string }) => name === "main"),
      [body],
    )
    deepEqual(list.payload, list.providers)
    deepEqual(await audit(id), [{ action: "provider.created", actor_id: "admin", tenant_id }])
    const [stored] = (await gateway.executeSql("SELECT api_key FROM providers.providers WHERE id = $1", [id])).rows
    match(String(stored?.api_key), /^v2:/)
  })

  it("fills in the type's address, and lists by name", async () => {
    const tenant = "names"
    const { api_key: _, ...keyless } = row
    const { body } = await admin(tenant).post("/v1/providers", { ...keyless, name: "b", enabled: false })
    deepEqual([body.api_base, body.api_key, body.enabled], ["https://api.openai.com/v1", undefined, false])
    await make(tenant, "c")
    await make(tenant, "a")
    const names = async (query: string) => (await admin(tenant).get(`/v1/providers${query}`)).body.providers.map(({ name }: { name: string }) => name)
    deepEqual(await names(""), ["a", "b", "c"])
    deepEqual(await names("?limit=1&offset=1"), ["b"])
  })

  for (const [why, change, status] of [
    ["a name with capitals", { name: "Main" }, 400],
    ["a name that ends in a dash", { name: "main-" }, 400],
    ["a name that looks like an id", { name: "0195c9f0-2222-7b10-8c00-000000000002" }, 400],
    ["a name of 101 letters", { name: "a".repeat(101) }, 400],
    ["no name", { name: undefined }, 400],
    ["a type that nobody brings", { provider_type: "claude_cli" }, 400],
    ["*** for a key", { api_key: "***" }, 400],
    ["a key with a line end in it", { api_key: "sk-canary\nx: y" }, 400],
    ["an address that is none", { api_base: "api.example.com" }, 400],
    ["another scheme", { api_base: "file:///etc/passwd" }, 400],
    ["an address with a key in its query", { api_base: "https://api.example.com/v1?key=sk-canary" }, 400],
    ["an address with a user name", { api_base: "https://u:sk-canary@api.example.com/v1" }, 400],
    ["a private address", { api_base: "http://169.254.169.254/v1" }, 400],
    ["a private address in disguise", { api_base: "http://[::ffff:10.0.0.1]/v1" }, 400],
    ["settings that are no object", { settings: "x" }, 400],
    ["a text that the database cannot hold", { display_name: "a\u0000b" }, 400],
  ] as const) {
    it(`refuses ${why}`, async () => {
      const answer = await admin("refusals").post("/v1/providers", { ...row, name: "new", ...change })
      equal(answer.status, status, JSON.stringify(answer.body))
      equal(answer.body.code, "INVALID_REQUEST")
      equal(JSON.stringify(answer.body).includes("sk-canary"), false)
    })
  }

  it("refuses a name that is taken, in the tenant and nowhere else", async () => {
    await make("first", "same")
    const again = await admin("first").post("/v1/providers", { ...row, name: "same" })
    deepEqual([again.status, again.body.code], [409, "ALREADY_EXISTS"])
    equal((await make("second", "same")).name, "same")
  })

  it("hides a provider from other tenants, and writes from all but admins", async () => {
    const { id } = await make("mine", "hidden")
    for (const call of [
      admin("theirs").get(`/v1/providers/${id}`),
      admin("theirs").put(`/v1/providers/${id}`, {}),
      admin("theirs").delete(`/v1/providers/${id}`),
      admin("theirs").get(`/v1/providers/${id}/models`),
    ])
      equal((await call).status, 404)
    equal((await gateway.as("operator", "mine").put(`/v1/providers/${id}`, {})).status, 403)
    equal((await gateway.as("viewer", "mine").post(`/v1/providers/${id}/verify`)).status, 403)
  })

  it("changes what is named and nothing else; *** and an empty text keep the key", async () => {
    const { id, created_at } = await make("changes", "one", { display_name: "One", settings: { a: 1 } })
    for (const change of [{ display_name: "Two", api_key: "***", base_url: "ignored" }, { api_key: "" }, { api_key: null }])
      deepEqual((await admin("changes").put("/v1/providers/one", change)).body, { status: "updated" })
    const shown = (await admin("changes").get(`/v1/providers/${id}`)).body
    deepEqual([shown.display_name, shown.api_base, shown.settings, shown.created_at], ["Two", upstream.url, { a: 1 }, created_at])
    deepEqual((await admin("changes").post(`/v1/providers/${id}/verify`)).body, { valid: true })
    await admin("changes").put(`/v1/providers/${id}`, { api_key: "sk-another-0123456789", settings: {}, enabled: false, display_name: "" })
    const after = (await admin("changes").get(`/v1/providers/${id}`)).body
    deepEqual([after.settings, after.enabled, "display_name" in after], [{}, false, false])
    deepEqual(
      (await audit(id)).map(({ action }) => action),
      ["provider.created", "provider.updated", "provider.updated", "provider.updated", "provider.updated"],
    )
    for (const [change, status] of [
      [{ name: "No Slug" }, 400],
      [{ provider_type: "none" }, 400],
      [{ api_base: "http://10.0.0.1/v1" }, 400],
    ] as const)
      equal((await admin("changes").put(`/v1/providers/${id}`, change)).status, status)
    equal((await admin("changes").put("/v1/providers/nobody", {})).status, 404)
  })

  it("renames a provider in the agents that use it, or changes nothing", async () => {
    await make("renames", "old")
    await make("renames", "taken")
    await admin("renames").post("/v1/agents", { name: "helper", provider: "old", model: "echo" })
    equal((await admin("renames").put("/v1/providers/old", { name: "taken" })).status, 409)
    equal((await admin("renames").get("/v1/agents/helper")).body.provider, "old")
    equal((await admin("renames").put("/v1/providers/old", { name: "new" })).status, 200)
    equal((await admin("renames").get("/v1/agents/helper")).body.provider, "new")
    const { status, body } = await admin("renames").post("/v1/chat/completions", { model: "agent:helper", messages: [{ role: "user", content: "hello" }] })
    deepEqual([status, body.choices?.[0]?.message.content], [200, "hello"])
  })

  it("deletes a provider; agents that use it say so when they are asked", async () => {
    const { id } = await make("deletes", "gone")
    await make("deletes", "stays")
    await admin("deletes").post("/v1/agents", { name: "helper", provider: "gone", model: "echo" })
    const ask = () => admin("deletes").post("/v1/chat/completions", { model: "agent:helper", messages: [{ role: "user", content: "hello" }] })
    equal((await ask()).status, 200)
    deepEqual((await admin("deletes").delete(`/v1/providers/${id}`)).body, { status: "deleted" })
    equal((await admin("deletes").delete(`/v1/providers/${id}`)).status, 404)
    const { status, body } = await ask()
    ok(status >= 400, String(status))
    match(JSON.stringify(body), /no provider gone/)
    equal((await audit(id)).at(-1)?.action, "provider.deleted")
  })

  it("lists models, asks once a minute, and asks anew after a change", async () => {
    const { id } = await make("models", "listed")
    upstream.requests.length = 0
    const models = ["words-50", "echo", "gpt-4o"].map((model) => ({ id: model }))
    for (let call = 0; call < 3; call += 1) deepEqual((await gateway.as("viewer", "models").get(`/v1/providers/${id}/models`)).body, { models, payload: models })
    equal(upstream.requests.length, 1)
    await admin("models").put(`/v1/providers/${id}`, { api_key: "sk-wrong-0123456789" })
    const { status, body } = await gateway.as("viewer", "models").get("/v1/providers/listed/models")
    deepEqual([status, body], [200, { models: [], payload: [], warning: "Incorrect API key provided." }])
    equal((await gateway.as("viewer", "models").get("/v1/providers/nobody/models")).status, 404)
  })

  it("lists models over RPC", async () => {
    await make("rpc", "up")
    const rpc = await gateway.as("viewer", "rpc").rpc()
    deepEqual((await rpc.call("providers.models", { provider: "up" })).models[1], { id: "echo" })
    const { models } = await rpc.call("models.list")
    ok(models.some(({ id }: { id: string }) => id === "up/echo"))
  })

  it("verifies a provider, or one of its models, in words", async () => {
    const { id } = await make("verify", "up")
    const verify = async (body?: unknown) => (await gateway.as("operator", "verify").post(`/v1/providers/${id}/verify`, body)).body
    for (const body of [undefined, {}, { model: "" }, { model: "words-2" }]) deepEqual(await verify(body), { valid: true })
    deepEqual(await verify({ model: "status-404" }), { valid: false, error: "the model says 404" })
    deepEqual(await verify({ model: "tells-key" }), { valid: false, error: "Incorrect API key provided: ***." })
    upstream.requests.length = 0
    equal((await verify({ model: "dall-e-3" })).valid, true)
    equal(upstream.requests.length, 0)
    await admin("verify").put(`/v1/providers/${id}`, { enabled: false })
    deepEqual(await verify(), { valid: false, error: "provider up is disabled" })
    equal((await gateway.as("operator", "verify").post("/v1/providers/nobody/verify")).status, 404)
  })

  it("says so when a key was moved to another row, or sealed with another gateway's key", async () => {
    const { id } = await make("moved", "one")
    const other = await make("moved", "two")
    await gateway.executeSql("UPDATE providers.providers SET api_key = (SELECT api_key FROM providers.providers WHERE id = $1) WHERE id = $2", [id, other.id])
    const { body } = await gateway.as("operator", "moved").post(`/v1/providers/${other.id}/verify`)
    deepEqual([body.valid, /cannot be read/.test(body.error)], [false, true])
  })
})
