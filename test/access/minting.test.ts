import { deepEqual, equal } from "node:assert/strict"
import { type Role, roles, type Scope, scopes } from "@plugboard/sdk"
import { openRpc, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import fc from "fast-check"

/** Written down once more, from the contract (websocket 2.4), so that a mistake in the gateway's own table shows. */
function roleOf(held: readonly Scope[]): Role {
  if (held.includes("operator.admin")) return "admin"
  return held.some((scope) => ["operator.write", "operator.approvals", "operator.pairing"].includes(scope)) ? "operator" : "viewer"
}

const anyScopes = fc.subarray([...scopes], { minLength: 1 })

// Bad days, S8: what a credential may do comes from what is stored of it, whatever the client says; and nobody hands on more than they have.
describe("credentials that are made by credentials", function minting() {
  this.timeout(60_000)
  let gateway: TestGateway
  let owner: TestClient
  before(async () => {
    gateway = await testGateway()
    owner = await gateway.as("owner")
  })
  after(() => gateway.close())

  const mint = async (headers: Record<string, string>, body: object) => {
    const response = await fetch(`${gateway.url}/v1/api-keys`, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as { key: string; scopes: Scope[]; tenant_id: string | null } }
  }
  const keyOf = async (held: readonly Scope[]) => (await owner.post("/v1/api-keys", { name: "stored", scopes: held, tenant_id: owner.tenantId })).body.key as string
  async function greeting(params: Record<string, unknown>) {
    const socket = await openRpc(gateway.url)
    const { role, is_owner } = await socket.call("connect", params)
    const reaches = async (method: string) => (await socket.request(method, {})).error?.code !== "UNAUTHORIZED"
    const reached = { admin: await reaches("api_keys.list"), owner: await reaches("tenants.list") }
    socket.close()
    return { role, is_owner, reached }
  }

  it("are what is stored of them, whatever a client claims when it connects", async () => {
    await fc.assert(
      fc.asyncProperty(anyScopes, fc.constantFrom(...roles), fc.subarray([...scopes]), async (held, claimed, asked) => {
        const { role, is_owner, reached } = await greeting({ token: await keyOf(held), user_id: "system", role: claimed, scopes: asked, is_owner: true, isAdmin: true })
        const stored = roleOf(held)
        deepEqual({ role, is_owner, reached }, { role: stored, is_owner: false, reached: { admin: stored === "admin", owner: false } })
      }),
      { numRuns: 15 },
    )
  })

  it("have no scope and no tenant beyond those of their maker", async () => {
    await fc.assert(
      fc.asyncProperty(anyScopes, anyScopes, async (held, asked) => {
        const { status, body } = await mint({ authorization: `Bearer ${await keyOf(held)}`, "x-goclaw-user-id": "system" }, { name: "made", scopes: asked, role: "owner" })
        // What an admin has without holding it: all that opens no more than the role of an admin does.
        const within = asked.every((scope) => held.includes(scope) || scope !== "operator.provision")
        equal(status, roleOf(held) !== "admin" ? 403 : within ? 201 : 403, `${held} asked for ${asked}`)
        if (status !== 201) return
        deepEqual([[...body.scopes].sort(), body.tenant_id], [[...asked].sort(), owner.tenantId])
        equal((await greeting({ token: body.key })).role, roleOf(asked))
      }),
      { numRuns: 15 },
    )
  })

  it("are refused when they are no text that a key can be", async () => {
    const socket = await openRpc(gateway.url)
    for (const token of ["\0", `${gateway.token}\0`, "\ud800", "goclaw_\0"])
      equal((await socket.request("connect", { token, user_id: "system" })).error?.code, "UNAUTHORIZED", JSON.stringify(token))
    equal((await socket.request("health", {})).error?.code, "UNAUTHORIZED")
    socket.close()
  })
})
