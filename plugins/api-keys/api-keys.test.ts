import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUIDv7 } from "node:crypto"
import { openRpc, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const members = ["created_at", "created_by", "expires_at", "id", "last_used_at", "name", "prefix", "revoked", "scopes", "tenant_id", "updated_at"]

describe("api-keys", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("makes a key and shows its secret this once", async () => {
    const admin = await gateway.as("admin", "acme", "anna")
    const { status, body } = await admin.post("/v1/api-keys", { name: "ci-deploy", scopes: ["operator.read", "operator.write"], expires_in: 2_592_000 })
    equal(status, 201)
    match(body.key, /^goclaw_[0-9a-f]{32}$/)
    deepEqual(Object.keys(body).sort(), [...members, "key"].sort())
    deepEqual([body.prefix, body.tenant_id, body.created_by, body.revoked], [body.key.slice(0, 8), admin.tenantId, "anna", false])
    const listed = (await admin.get("/v1/api-keys")).body
    equal(JSON.stringify(listed).includes(body.key), false)
    const { key: _, ...row } = body
    deepEqual(
      listed.find(({ id }: { id: string }) => id === body.id),
      row,
    )
  })

  it("lists a bare array, newest first, whose page is never an error", async () => {
    const admin = await gateway.as("admin", "pages")
    for (const name of ["one", "two", "three"]) await admin.post("/v1/api-keys", { name, scopes: ["operator.read"] })
    const names = async (query: string) => (await admin.get(`/v1/api-keys${query}`)).body.map(({ name }: { name: string }) => name)
    deepEqual((await names("")).slice(0, 3), ["three", "two", "one"])
    deepEqual(await names("?limit=1&offset=1"), ["two"])
    deepEqual((await names("?limit=none&offset=-4")).slice(0, 3), ["three", "two", "one"])
  })

  it("lets a new key in at once, and keeps it out at once when it is revoked", async () => {
    const admin = await gateway.as("admin", "acme")
    const { body } = await admin.post("/v1/api-keys", { name: "short", scopes: ["operator.admin"] })
    const bearer = { authorization: `Bearer ${body.key}` }
    equal((await admin.get("/v1/api-keys", bearer)).status, 200)
    deepEqual((await admin.delete(`/v1/api-keys/${body.id}`)).body, { status: "revoked" })
    equal((await admin.get("/v1/api-keys", bearer)).status, 401)
  })

  it("revokes by DELETE and by POST alike, as often as asked", async () => {
    const admin = await gateway.as("admin", "acme")
    const { body } = await admin.post("/v1/api-keys", { name: "k", scopes: ["operator.read"] })
    for (const answer of [
      await admin.post(`/v1/api-keys/${body.id}/revoke`, {}),
      await admin.post(`/v1/api-keys/${body.id}/revoke`),
      await admin.delete(`/v1/api-keys/${body.id.toUpperCase()}`),
    ]) {
      deepEqual([answer.status, answer.body], [200, { status: "revoked" }])
    }
  })

  it("closes the sockets of a key that is revoked", async () => {
    const admin = await gateway.as("admin", "acme")
    const { body } = await admin.post("/v1/api-keys", { name: "k", scopes: ["operator.read"] })
    const socket = await openRpc(gateway.url)
    await socket.call("connect", { token: body.key, user_id: "kai" })
    await admin.delete(`/v1/api-keys/${body.id}`)
    await socket.closed
  })

  it("says what is wrong with a key that cannot be made", async () => {
    const admin = gateway.as("admin", "acme")
    const unknown = await admin.post("/v1/api-keys", { name: "k", scopes: ["operator.root"] })
    deepEqual([unknown.status, unknown.body.code], [400, "INVALID_REQUEST"])
    match(unknown.body.error, /operator\.root/)
    for (const wrong of [
      {},
      { name: "k" },
      { name: "k", scopes: [] },
      { name: "", scopes: ["operator.read"] },
      { name: "x".repeat(101), scopes: ["operator.read"] },
      { name: "a\0b", scopes: ["operator.read"] },
      { name: "k", scopes: ["operator.read"], expires_in: "soon" },
      { name: "k", scopes: "operator.read" },
      { name: "k", scopes: ["operator.read"], owner_id: "x".repeat(256) },
    ]) {
      equal((await admin.post("/v1/api-keys", wrong)).status, 400, JSON.stringify(wrong))
    }
  })

  it("takes null for absent", async () => {
    const { status, body } = await gateway.as("admin", "acme").post("/v1/api-keys", { name: "k", scopes: ["operator.read"], expires_in: null, owner_id: null, tenant_id: null })
    deepEqual([status, body.expires_at, "owner_id" in body], [201, null, false])
  })

  it("lets nobody make a key beyond their own rights", async () => {
    const { status, body } = await gateway.as("admin", "acme").post("/v1/api-keys", { name: "k", scopes: ["operator.read", "operator.provision"] })
    deepEqual([status, body.code], [403, "UNAUTHORIZED"])
    match(body.error, /operator\.provision/)
  })

  it("makes keys of any tenant, and of the whole gateway, for owners alone", async () => {
    const owner = await gateway.as("owner", "acme")
    const globex = await gateway.tenant("globex")
    equal((await owner.post("/v1/api-keys", { name: "k", scopes: ["operator.read"], tenant_id: globex })).body.tenant_id, globex)
    equal((await owner.post("/v1/api-keys", { name: "k", scopes: ["operator.read"], tenant_id: randomUUIDv7() })).status, 404)
    const system = (await owner.post("/v1/api-keys", { name: "whole", scopes: ["operator.read"] })).body
    equal(system.tenant_id, null)
    const admin = await gateway.as("admin", "acme")
    equal((await admin.post("/v1/api-keys", { name: "k", scopes: ["operator.read"], tenant_id: globex })).body.tenant_id, admin.tenantId)
    const seen = async (client: typeof admin) => (await client.get("/v1/api-keys")).body.some(({ id }: { id: string }) => id === system.id)
    deepEqual([await seen(admin), await seen(owner)], [false, true])
    equal((await admin.delete(`/v1/api-keys/${system.id}`)).status, 404)
    equal((await owner.delete(`/v1/api-keys/${system.id}`)).status, 200)
  })

  it("knows no keys of other tenants", async () => {
    const foreign = (await gateway.as("admin", "globex").post("/v1/api-keys", { name: "k", scopes: ["operator.read"] })).body
    const admin = await gateway.as("admin", "acme")
    for (const id of [foreign.id, randomUUIDv7()]) {
      const { status, body } = await admin.delete(`/v1/api-keys/${id}`)
      deepEqual([status, body.code], [404, "NOT_FOUND"])
    }
    equal((await admin.delete("/v1/api-keys/not-a-uuid")).status, 400)
  })

  it("does the same over the socket", async () => {
    const rpc = await gateway.as("admin", "acme", "anna").rpc()
    const made = await rpc.call("api_keys.create", { name: "k", scopes: ["operator.read"], owner_id: "olga" })
    deepEqual(Object.keys(made).sort(), [...members, "key", "owner_id"].sort())
    const listed = await rpc.call("api_keys.list")
    equal(listed[0].id, made.id)
    deepEqual(await rpc.call("api_keys.revoke", { id: made.id }), { status: "revoked" })
    deepEqual(await rpc.call("api_keys.revoke", { id: made.id }), { status: "revoked" })
    equal((await rpc.request("api_keys.revoke", { id: randomUUIDv7() })).error?.code, "NOT_FOUND")
  })
})
