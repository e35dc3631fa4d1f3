import { deepEqual, equal, match, rejects } from "node:assert/strict"
import { randomUUIDv7 } from "node:crypto"
import { type Caller, isError, roles, type Scope, scopes } from "@plugboard/sdk"
import fc from "fast-check"
import { roleOf } from "../auth/powers.ts"
import { owner, type ScratchAuth, scratchAuth } from "../auth/scratch.ts"
import { masterTenantId } from "../tenancy.ts"

const named = (name: string) => (error: unknown) => isError(error, name)

describe("keys", function keys() {
  this.timeout(120_000)
  let scratch: ScratchAuth
  let acme: string
  let globex: string
  before(async () => {
    scratch = await scratchAuth()
    acme = await scratch.addTenant("acme")
    globex = await scratch.addTenant("globex")
  })
  after(() => scratch.close())

  const admin = (tenantId: string): Caller => ({ ...owner, tenantId, userId: "anna", role: "admin", via: "token" })
  const keyCaller = (tenantId: string, held: readonly Scope[]): Caller => ({
    ...owner,
    tenantId,
    userId: "kai",
    role: roleOf(held),
    scopes: held,
    via: "key",
    keyId: randomUUIDv7(),
  })

  it("are shown once, and kept as a digest", async () => {
    const made = await scratch.keys.create(admin(acme), { name: "ci-deploy", scopes: ["operator.read", "operator.write", "operator.read"], expires_in: 3_600 })
    match(made.key, /^goclaw_[0-9a-f]{32}$/)
    equal(made.prefix, made.key.slice(0, 8))
    deepEqual(
      [made.name, made.scopes, made.tenant_id, made.created_by, made.revoked, made.last_used_at],
      ["ci-deploy", ["operator.read", "operator.write"], acme, "anna", false, null],
    )
    equal("owner_id" in made, false)
    equal(Math.round((Date.parse(made.expires_at as string) - Date.parse(made.created_at)) / 1_000), 3_600)
    const { rows } = await scratch.db.executeSql("SELECT to_jsonb(k) AS key FROM kernel.api_keys k")
    equal(JSON.stringify(rows).includes(made.key), false)
  })

  it("never expire without a positive expires_in, and stay in the calendar with any other", async () => {
    for (const expires_in of [undefined, null, 0, -5]) equal((await scratch.keys.create(admin(acme), { name: "k", scopes: ["operator.read"], expires_in })).expires_at, null)
    match((await scratch.keys.create(admin(acme), { name: "k", scopes: ["operator.read"], expires_in: Number.MAX_SAFE_INTEGER })).expires_at as string, /^2\d\d\d-/)
  })

  it("take known scopes only", async () => {
    await rejects(
      scratch.keys.create(owner, { name: "k", scopes: ["operator.root"] }),
      (error) => isError(error, "kernel.unknown_scope") && error.failure.params.scope === "operator.root",
    )
  })

  describe("of which tenant they are", () => {
    const tenantOf = async (caller: Caller, tenant_id?: string) => (await scratch.keys.create(caller, { name: "k", scopes: ["operator.read"], tenant_id })).tenant_id
    it("is what an owner says, and with nothing said the whole gateway", async () => {
      equal(await tenantOf(owner, acme), acme)
      equal(await tenantOf(owner), null)
    })
    it("is what an admin with operator.provision says, else their own", async () => {
      const provisioner = keyCaller(acme, ["operator.admin", "operator.provision"])
      equal(await tenantOf(provisioner, globex), globex)
      equal(await tenantOf(provisioner), acme)
    })
    it("is their own for everyone else", async () => {
      equal(await tenantOf(admin(acme), globex), acme)
      equal(await tenantOf(admin(acme), "nonsense"), acme)
      equal(await tenantOf(keyCaller(acme, ["operator.provision"]), globex), acme)
    })
    it("must be a tenant that exists", async () => {
      for (const wrong of [randomUUIDv7(), "nonsense", "a\0b"]) await rejects(tenantOf(owner, wrong), named("kernel.unknown_tenant"))
    })
  })

  it("are listed for their tenant, newest first; keys of the gateway for owners only", async () => {
    const tenant = await scratch.addTenant("lister")
    const make = async (caller: Caller, name: string) => (await scratch.keys.create(caller, { name, scopes: ["operator.read"] })).name
    for (const name of ["first", "second", "third"]) await make(admin(tenant), name)
    await make(admin(globex), "foreign")
    await make(owner, "gateway")
    const names = async (caller: Caller, limit = 100, offset = 0) => (await scratch.keys.list(caller, limit, offset)).map((key) => key.name)
    deepEqual(await names(admin(tenant)), ["third", "second", "first"])
    deepEqual(await names(admin(tenant), 1, 1), ["second"])
    deepEqual((await names({ ...owner, tenantId: tenant })).slice(0, 4), ["gateway", "third", "second", "first"])
  })

  it("are revoked as often as asked, once in the log", async () => {
    const { id } = await scratch.keys.create(admin(acme), { name: "k", scopes: ["operator.read"] })
    await scratch.keys.revoke(admin(acme), id)
    await scratch.keys.revoke(admin(acme), id.toUpperCase())
    equal((await scratch.keys.list(admin(acme), 100, 0)).find((key) => key.id === id)?.revoked, true)
    const { rows } = await scratch.db.executeSql("SELECT action, actor_id FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [id])
    deepEqual(rows, [
      { action: "api_key.created", actor_id: "anna" },
      { action: "api_key.revoked", actor_id: "anna" },
    ])
  })

  it("of others are not there", async () => {
    const foreign = await scratch.keys.create(admin(globex), { name: "k", scopes: ["operator.read"] })
    const system = await scratch.keys.create(owner, { name: "k", scopes: ["operator.read"] })
    for (const id of [foreign.id, system.id, randomUUIDv7(), "nonsense", "a\0b"]) await rejects(scratch.keys.revoke(admin(acme), id), named("kernel.unknown_key"))
    await scratch.keys.revoke(owner, system.id)
  })

  // Bad days, S8: what was stored and what was asked for, never more than either.
  it("never do more than their maker", async () => {
    const anyCaller = fc.oneof(
      fc.subarray([...scopes]).map((held) => keyCaller(acme, held)),
      fc.constantFrom(...roles).map((role): Caller => ({ ...admin(acme), role })),
    )
    await fc.assert(
      fc.asyncProperty(anyCaller, fc.subarray([...scopes], { minLength: 1 }), async (caller, asked) => {
        const made = await scratch.keys.create(caller, { name: "k", scopes: asked }).catch((error: unknown) => {
          if (isError(error, "kernel.beyond_creator")) return null
          throw error
        })
        if (made === null) return
        const door = scratch.door()
        const { role, scopes: held, tenantId } = await door.resolve({ token: made.key, userId: "system", tenantRefs: ["globex"], locale: "en" })
        deepEqual([...held].sort(), [...asked].sort())
        equal(roles.indexOf(role) <= roles.indexOf(caller.role), true)
        equal(role, roleOf(asked))
        if (caller.role !== "owner") equal(tenantId, caller.tenantId)
      }),
      { numRuns: 60 },
    )
  })

  it("cannot be ended from below", async () => {
    const { id } = await scratch.keys.create(admin(masterTenantId), { name: "k", scopes: ["operator.admin"] })
    await rejects(scratch.keys.revoke({ ...admin(masterTenantId), role: "operator" }, id), named("kernel.forbidden"))
  })
})
