import { deepEqual } from "node:assert/strict"
import type { Caller } from "@plugboard/sdk"
import { owner, type ScratchAuth, scratchAuth } from "../auth/scratch.ts"
import { masterTenantId } from "../tenancy.ts"

describe("tenants of a caller", function tenantsOfCaller() {
  this.timeout(120_000)
  let scratch: ScratchAuth
  let acme: string
  before(async () => {
    scratch = await scratchAuth()
    acme = await scratch.addTenant("acme")
    await scratch.addMember(acme, "ana")
    await scratch.addTenant("globex", "suspended")
  })
  after(() => scratch.close())

  const ana: Caller = { ...owner, userId: "ana", role: "admin", via: "token" }
  const mine = async (caller: Caller) => (await scratch.tenants.mine(caller)).map(({ slug, role, status }) => `${role} of ${slug}, ${status}`)

  it("are all for an owner", async () => deepEqual(await mine(owner), ["owner of master, active", "owner of acme, active", "owner of globex, suspended"]))
  it("are those of the membership and the present one", async () => deepEqual(await mine(ana), ["admin of master, active", "member of acme, active"]))
  it("are the present one for someone who is a member of none", async () => deepEqual(await mine({ ...ana, userId: "bob", role: "viewer" }), ["viewer of master, active"]))

  it("are the key's own for a key that belongs to one, whoever it says it acts for", async () => {
    const bound = await scratch.keys.create(owner, { name: "k", scopes: ["operator.admin"], tenant_id: masterTenantId })
    deepEqual(await mine({ ...ana, via: "key", keyId: bound.id }), ["admin of master, active"])
    const free = await scratch.keys.create(owner, { name: "k", scopes: ["operator.admin"] })
    deepEqual(await mine({ ...ana, via: "key", keyId: free.id }), ["admin of master, active", "member of acme, active"])
  })
})
