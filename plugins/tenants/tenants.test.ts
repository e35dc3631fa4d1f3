import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUIDv7 } from "node:crypto"
import { openRpc, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const master = "0193a5b0-7000-7000-8000-000000000001"

describe("tenants", () => {
  let gateway: TestGateway
  let owner: TestClient
  before(async () => {
    gateway = await testGateway()
    owner = await gateway.as("owner")
  })
  after(() => gateway.close())

  const byToken = (user: string, tenant: string) => ({ authorization: `Bearer ${gateway.token}`, "x-goclaw-user-id": user, "x-goclaw-tenant-id": tenant })
  const statusOf = async (headers: Record<string, string>) => (await fetch(`${gateway.url}/v1/agents`, { headers })).status
  const provisioner = async (body: object) => (await owner.post("/v1/api-keys", { name: "provision", scopes: ["operator.provision"], ...body })).body.key as string

  it("are made with a slug of their own, or one of the name", async () => {
    const { status, body } = await owner.post("/v1/tenants", { name: "Phở Ngon & Co.", settings: { theme: "dark" } })
    equal(status, 201)
    deepEqual(Object.keys(body).sort(), ["created_at", "id", "name", "settings", "slug", "status", "updated_at"])
    deepEqual([body.slug, body.status, body.settings], ["pho-ngon-co", "active", { theme: "dark" }])
    equal((await owner.post("/v1/tenants", { name: "Other", slug: "named" })).body.slug, "named")
    for (const ref of [body.id, body.slug, body.id.toUpperCase()]) deepEqual((await owner.get(`/v1/tenants/${ref}`)).body, body)
  })

  it("are refused with a slug that is taken, or is none", async () => {
    await owner.post("/v1/tenants", { name: "Twice" })
    const taken = await owner.post("/v1/tenants", { name: "twice" })
    deepEqual([taken.status, taken.body.code], [409, "ALREADY_EXISTS"])
    for (const wrong of [
      {},
      { name: "" },
      { name: "x", slug: "No Slug" },
      { name: "x", slug: "-x" },
      { name: "x", slug: "x".repeat(64) },
      { name: "x", slug: randomUUIDv7() },
      { name: "!" },
    ])
      equal((await owner.post("/v1/tenants", wrong)).status, 400, JSON.stringify(wrong))
  })

  it("are listed by their age, and under payload for the command-line client", async () => {
    const { body } = await owner.get("/v1/tenants")
    equal(body.tenants[0].id, master)
    const cli = await fetch(`${gateway.url}/v1/tenants`, { headers: { authorization: `Bearer ${gateway.token}` } })
    deepEqual(((await cli.json()) as { payload: unknown }).payload, body.tenants)
    equal((await owner.get("/v1/tenants?limit=1")).body.tenants.length, 1)
  })

  it("are shown to an admin as far as it is its own", async () => {
    const admin = await gateway.as("admin", "acme")
    equal((await admin.get("/v1/tenants/acme")).body.id, admin.tenantId)
    for (const ref of [await gateway.tenant("globex"), "globex", "nobody", randomUUIDv7(), "%00"]) equal((await admin.get(`/v1/tenants/${ref}`)).status, 404, ref)
    equal((await admin.patch("/v1/tenants/acme", { name: "Mine" })).status, 403)
  })

  it("change by what is sent, and say so", async () => {
    const { id } = (await owner.post("/v1/tenants", { name: "Change", settings: { a: 1, b: 2 } })).body
    const { body } = await owner.patch(`/v1/tenants/${id}`, { name: "Changed", settings: { c: 3 } })
    deepEqual([body.ok, body.name, body.slug, body.settings, body.status], ["true", "Changed", "change", { c: 3 }, "active"])
    deepEqual((await owner.patch(`/v1/tenants/${id}`, { status: "archived" })).body.settings, { c: 3 })
    equal((await owner.patch(`/v1/tenants/${id}`, {})).status, 400)
    equal((await owner.patch(`/v1/tenants/${id}`, { status: "gone" })).status, 400)
    equal((await owner.patch(`/v1/tenants/${randomUUIDv7()}`, { name: "x" })).status, 404)
  })

  it("keep the master tenant active and there", async () => {
    for (const { status, body } of [await owner.patch("/v1/tenants/master", { status: "suspended" }), await owner.delete(`/v1/tenants/${master}`)]) {
      deepEqual([status, body.code], [400, "INVALID_REQUEST"])
    }
    equal((await owner.patch("/v1/tenants/master", { name: "Master" })).status, 200)
  })

  it("have members, whose role is changed by adding them again", async () => {
    const { id } = (await owner.post("/v1/tenants", { name: "Members" })).body
    const path = `/v1/tenants/${id}/users`
    deepEqual((await owner.post(path, { user_id: "tg:ana@x/1" })).body, { ok: "true" })
    equal((await owner.post(path, { user_id: "bob", role: "admin" })).status, 201)
    await owner.post(path, { user_id: "bob", role: "viewer" })
    const { users } = (await owner.get(path)).body
    deepEqual(
      users.map(({ user_id, role, tenant_id }: { user_id: string; role: string; tenant_id: string }) => [user_id, role, tenant_id]),
      [
        ["bob", "viewer", id],
        ["tg:ana@x/1", "member", id],
      ],
    )
    equal((await owner.post(path, { user_id: "bob", role: "king" })).status, 400)
    for (const _ of [1, 2]) deepEqual((await owner.delete(`${path}/${encodeURIComponent("tg:ana@x/1")}`)).body, { ok: "true" })
    equal((await owner.get(path)).body.users.length, 1)
    const operator = await gateway.as("operator", "members", "otto")
    const found = async (query: string) => (await operator.get(`/v1/users/search?${query}`)).body.results.map(({ id, source, role }: Record<string, string>) => [id, source, role])
    const bob = [["bob", "tenant_user", (await operator.get("/v1/tenant-users")).body.users[0].role]]
    deepEqual(
      [await found("q=BO"), await found("q=zz"), await found("source=tenant_user&limit=1"), await found("source=contact"), await found("peer_kind=group"), await found("q=%25")],
      [bob, [], bob, [], [], []],
    )
    deepEqual([(await operator.get("/v1/tenant-users")).body.users[0].user_id, (await operator.get(path)).status], ["bob", 403])
  })

  it("let a member in at once, and out at once when it is removed, on an open socket too", async () => {
    const { id, slug } = (await owner.post("/v1/tenants", { name: "Doors" })).body
    equal(await statusOf(byToken("mia", slug)), 401)
    await owner.post(`/v1/tenants/${id}/users`, { user_id: "mia" })
    equal(await statusOf(byToken("mia", slug)), 200)
    const [socket, elsewhere] = [await openRpc(gateway.url), await openRpc(gateway.url)]
    await socket.call("connect", { token: gateway.token, user_id: "mia", tenant_id: slug })
    await elsewhere.call("connect", { token: gateway.token, user_id: "mia" })
    await owner.delete(`/v1/tenants/${id}/users/mia`)
    const { payload } = await socket.next("tenant.access.revoked")
    deepEqual(payload, { user_id: "mia", tenant_id: id, payload: { user_id: "mia" } })
    await socket.closed
    const refused = await fetch(`${gateway.url}/v1/agents`, { headers: byToken("mia", slug) })
    deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [401, "TENANT_ACCESS_REVOKED"])
    await elsewhere.call("health")
    elsewhere.close()
  })

  it("admit owners alone while they are suspended", async () => {
    const { id, slug } = (await owner.post("/v1/tenants", { name: "Pause" })).body
    await owner.post(`/v1/tenants/${id}/users`, { user_id: "mia" })
    const { key } = (await owner.post("/v1/api-keys", { name: "k", scopes: ["operator.admin"], tenant_id: id })).body
    const ways = [byToken("mia", slug), { authorization: `Bearer ${key}` }]
    for (const way of ways) equal(await statusOf(way), 200)
    const socket = await openRpc(gateway.url)
    await socket.call("connect", { token: key, user_id: "kai" })
    await owner.patch(`/v1/tenants/${id}`, { status: "suspended" })
    await socket.closed
    for (const way of ways) equal(await statusOf(way), 403)
    equal(await statusOf(byToken("system", slug)), 200)
    await owner.patch(`/v1/tenants/${id}`, { status: "active" })
    for (const way of ways) equal(await statusOf(way), 200)
  })

  it("end with their members and keys", async () => {
    const { id } = (await owner.post("/v1/tenants", { name: "Short" })).body
    const { key } = (await owner.post("/v1/api-keys", { name: "k", scopes: ["operator.admin"], tenant_id: id })).body
    equal(await statusOf({ authorization: `Bearer ${key}` }), 200)
    deepEqual((await owner.delete(`/v1/tenants/${id}`)).body, { ok: "true" })
    equal(await statusOf({ authorization: `Bearer ${key}` }), 401)
    equal((await owner.get(`/v1/tenants/${id}`)).status, 404)
  })

  it("are made by keys that may provision, which change nothing else", async () => {
    const key = await provisioner({})
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" }
    const send = (method: string, path: string, body?: object) => fetch(gateway.url + path, { method, headers, body: body && JSON.stringify(body) })
    const { id } = (await (await send("POST", "/v1/tenants", { name: "Provisioned" })).json()) as { id: string }
    equal((await send("POST", `/v1/tenants/${id}/users`, { user_id: "mia" })).status, 201)
    for (const [method, path] of [
      ["GET", "/v1/tenants"],
      ["GET", `/v1/tenants/${id}`],
      ["DELETE", `/v1/tenants/${id}`],
      ["DELETE", `/v1/tenants/${id}/users/mia`],
    ] as const)
      equal((await send(method, path)).status, 403, `${method} ${path}`)
  })

  it("get no members from a key that belongs to another tenant", async () => {
    const [acme, globex] = [await gateway.tenant("acme"), await gateway.tenant("globex")]
    const headers = { authorization: `Bearer ${await provisioner({ tenant_id: acme })}`, "content-type": "application/json" }
    const add = (id: string) => fetch(`${gateway.url}/v1/tenants/${id}/users`, { method: "POST", headers, body: JSON.stringify({ user_id: "mia" }) })
    deepEqual([(await add(acme)).status, (await add(globex)).status], [201, 404])
  })

  it("do the same over the socket, and keep a record of every change", async () => {
    const rpc = await owner.rpc()
    const { id, slug } = await rpc.call("tenants.create", { name: "Socket", slug: "socket" })
    match(id, /^[0-9a-f-]{36}$/)
    deepEqual(await rpc.call("tenants.update", { id: slug, name: "Socket 2" }), { ok: "true" })
    equal((await rpc.call("tenants.get", { id })).name, "Socket 2")
    deepEqual(await rpc.call("tenants.users.add", { tenant_id: slug, user_id: "mia", role: "operator" }), { ok: "true" })
    equal((await rpc.call("tenants.users.list", { tenant_id: id })).users[0].role, "operator")
    deepEqual(await rpc.call("tenants.users.remove", { tenant_id: id, user_id: "mia" }), { ok: "true" })
    deepEqual(await rpc.call("tenants.delete", { id }), { ok: "true" })
    equal((await rpc.request("tenants.get", { id })).error?.code, "NOT_FOUND")
    equal((await rpc.call("tenants.list")).tenants[0].id, master)
    const { logs } = (await owner.get(`/v1/activity?entity_id=${id}`)).body
    deepEqual(
      logs.map(({ action }: { action: string }) => action),
      ["tenant.deleted", "tenant.user.removed", "tenant.user.added", "tenant.updated", "tenant.created"],
    )
  })
})
