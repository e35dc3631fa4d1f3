import { deepEqual, equal, rejects } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type Caller, isError, type Scope } from "@plugboard/sdk"
import { masterTenantId } from "../tenancy.ts"
import type { Auth, Credentials } from "./auth.ts"
import { gatewayToken, owner, type ScratchAuth, scratchAuth } from "./scratch.ts"

const shown = (credentials: Partial<Credentials>): Credentials => ({ tenantRefs: [], locale: "en", ...credentials })
const named = (name: string) => (error: unknown) => isError(error, name)

describe("the door", () => {
  let scratch: ScratchAuth
  let door: Auth
  let acme: string
  let globex: string
  before(async function openScratch() {
    this.timeout(120_000)
    scratch = await scratchAuth()
    acme = await scratch.addTenant("acme")
    globex = await scratch.addTenant("globex")
    await scratch.addTenant("frozen", "suspended")
    await scratch.addMember(acme, "ana")
  })
  beforeEach(() => {
    door = scratch.door()
  })
  after(() => scratch.close())

  const enter = (credentials: Partial<Credentials>, by: Auth = door) => by.resolve(shown(credentials))
  const brief = ({ role, tenantSlug, userId, via }: Caller) => `${role} ${userId} in ${tenantSlug} by ${via}`
  const makeKey = (scope: Scope, tenantId?: string, ownerId?: string, seconds?: number) =>
    scratch.keys.create(owner, { name: "test", scopes: [scope], tenant_id: tenantId, owner_id: ownerId, expires_in: seconds })

  describe("by the gateway token", () => {
    const token = gatewayToken
    it("makes the caller without a user id the owner", async () => equal(brief(await enter({ token })), "owner system in master by token"))
    it("makes everyone else an admin", async () => equal(brief(await enter({ token, userId: "ana" })), "admin ana in master by token"))

    it("makes owners of the configured ids, and of those alone", async () => {
      const by = scratch.door({ ownerIds: ["ana"] })
      equal(brief(await enter({ token, userId: "ana" }, by)), "owner ana in master by token")
      equal(brief(await enter({ token }, by)), "admin system in master by token")
    })

    it("lets owners into every tenant, by slug, by id in any case, and past refs that name none", async () => {
      equal((await enter({ token, tenantRefs: ["acme"] })).tenantId, acme)
      equal((await enter({ token, tenantRefs: [acme.toUpperCase()] })).tenantId, acme)
      equal((await enter({ token, tenantRefs: ["nowhere", "globex"] })).tenantId, globex)
      equal((await enter({ token, tenantRefs: ["nowhere"] })).tenantId, masterTenantId)
    })

    it("lets others into the tenants of which they are members, and into master", async () => {
      equal((await enter({ token, userId: "ana", tenantRefs: ["acme"] })).tenantId, acme)
      equal((await enter({ token, userId: "ana", tenantRefs: ["master"] })).tenantId, masterTenantId)
      equal((await enter({ token, userId: "ana", tenantRefs: ["nowhere"] })).tenantId, masterTenantId)
      await rejects(enter({ token, userId: "ana", tenantRefs: ["globex"] }), named("kernel.tenant_revoked"))
    })

    it("keeps all but owners out of a suspended tenant", async () => {
      await scratch.addMember((await enter({ token, tenantRefs: ["frozen"] })).tenantId, "fred")
      await rejects(enter({ token, userId: "fred", tenantRefs: ["frozen"] }), named("kernel.tenant_suspended"))
    })
  })

  describe("by an API key", () => {
    it("gives the role of its scopes, and says which key it was", async () => {
      const { key, id } = await makeKey("operator.write", acme)
      const caller = await enter({ token: key, userId: "bob" })
      equal(brief(caller), "operator bob in acme by key")
      deepEqual([caller.keyId, caller.scopes, caller.userFixed], [id, ["operator.write"], undefined])
    })

    it("of a tenant stays there whatever the client asks for", async () => {
      const { key } = await makeKey("operator.admin", acme)
      equal((await enter({ token: key, tenantRefs: ["globex"] })).tenantId, acme)
    })

    it("of the whole gateway goes where the client asks, else to master", async () => {
      const { key } = await makeKey("operator.read")
      equal((await enter({ token: key, tenantRefs: ["globex"] })).tenantId, globex)
      equal((await enter({ token: key })).tenantId, masterTenantId)
    })

    it("with an owner acts for that user alone", async () => {
      const { key } = await makeKey("operator.read", acme, "olga")
      const caller = await enter({ token: key, userId: "mallory" })
      deepEqual([caller.userId, caller.userFixed], ["olga", true])
    })

    it("without a user gets one of its own", async () => {
      const { key, id } = await makeKey("operator.read", acme)
      equal((await enter({ token: key })).userId, `key:${id}`)
    })

    it("never makes an owner, whatever user id is claimed", async () => {
      const { key } = await makeKey("operator.admin")
      equal((await enter({ token: key, userId: "system" })).role, "admin")
    })

    it("works at once after it was made, also where it had just been unknown", async () => {
      const { key, id } = await makeKey("operator.read", acme)
      await scratch.db.executeSql("UPDATE kernel.api_keys SET revoked = true WHERE id = $1", [id])
      await rejects(enter({ token: key }), named("kernel.unauthenticated"))
      await scratch.db.executeSql("UPDATE kernel.api_keys SET revoked = false WHERE id = $1", [id])
      await makeKey("operator.read", globex)
      equal((await enter({ token: key })).tenantId, acme)
    })

    it("ends at once when it is revoked, and tells", async () => {
      const { key, id } = await makeKey("operator.read", acme)
      const ended: string[] = []
      door.onKeyRevoked((keyId) => ended.push(keyId))
      await enter({ token: key })
      await scratch.keys.revoke({ ...owner, tenantId: acme }, id)
      await rejects(enter({ token: key }), named("kernel.unauthenticated"))
      deepEqual(ended, [id])
    })

    it("ends when it expires, also while it is remembered", async () => {
      const { key } = await makeKey("operator.read", acme, undefined, 1)
      await enter({ token: key })
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      await rejects(enter({ token: key }), named("kernel.unauthenticated"))
    })

    it("of a suspended tenant is refused as such", async () => {
      const frozen = (await enter({ token: gatewayToken, tenantRefs: ["frozen"] })).tenantId
      const { key } = await makeKey("operator.admin", frozen)
      await rejects(enter({ token: key }), named("kernel.tenant_suspended"))
    })

    it("is looked up once", async () => {
      const { key } = await makeKey("operator.read", acme)
      await Promise.all([enter({ token: key }), enter({ token: key }), enter({ token: key })])
      const before = scratch.statements
      for (let call = 0; call < 100; call += 1) await enter({ token: key })
      equal(scratch.statements, before)
    })

    it("has its last use written with the others', off the request's way", async () => {
      const { key, id } = await makeKey("operator.read", acme)
      await enter({ token: key })
      const lastUse = async () => (await scratch.keys.list({ ...owner, tenantId: acme }, 1_000, 0)).find((row) => row.id === id)?.last_used_at
      equal(await lastUse(), null)
      await door.close()
      equal(typeof (await lastUse()), "string")
    })
  })

  describe("without authentication", () => {
    it("is as with the gateway token, whatever token is shown", async () => {
      const by = scratch.door({ token: undefined })
      equal(brief(await enter({}, by)), "owner system in master by open")
      equal(brief(await enter({ token: "anything", userId: "ana", tenantRefs: ["acme"] }, by)), "admin ana in acme by open")
      await rejects(enter({ userId: "ana", tenantRefs: ["globex"] }, by), named("kernel.tenant_revoked"))
    })

    it("still takes a key for what it is", async () => {
      const { key } = await makeKey("operator.read", acme)
      equal((await enter({ token: key }, scratch.door({ token: undefined }))).role, "viewer")
    })
  })

  describe("by a browser pairing", () => {
    const pair = async (status: string, expires: string, channel = "browser") => {
      const senderId = randomUUID()
      await scratch.db.executeSql(
        "INSERT INTO kernel.pairings (id, tenant_id, channel, sender_id, code, status, expires_at) VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, now() + $6::interval)",
        [masterTenantId, channel, senderId, senderId.slice(0, 8), status, expires],
      )
      return senderId
    }

    it("makes an operator in the pairing's tenant", async () => {
      const senderId = await pair("approved", "30 days")
      equal(brief(await enter({ senderId })), `operator ${senderId} in master by pairing`)
      equal(brief(await enter({ senderId, userId: "ana", tenantRefs: ["acme"] })), "operator ana in acme by pairing")
      equal(brief(await enter({ senderId, userId: "ana", tenantRefs: ["globex"] })), "operator ana in master by pairing")
    })

    it("counts only when it is approved, unexpired and of a browser", async () => {
      for (const senderId of [
        await pair("pending", "1 hour"),
        await pair("approved", "-1 second"),
        await pair("approved", "1 hour", "telegram"),
        randomUUID(),
        "'; --",
        "\0",
        "x".repeat(300),
      ]) {
        await rejects(enter({ senderId }), named("kernel.unauthenticated"))
      }
    })
  })

  it("takes ids that no database can keep for absent", async () => {
    for (const userId of ["a\0b", "\ud800", "x".repeat(256), ""]) equal((await enter({ token: gatewayToken, userId })).userId, "system")
    const refs = ["acme\0", "\ud800", "' OR 1=1 --", "x".repeat(5_000), "", "ACME ", "%", "acme;"]
    equal((await enter({ token: gatewayToken, tenantRefs: refs })).tenantId, masterTenantId)
  })

  it("says that the database is unavailable, never that a credential is wrong, and goes on for what it knows", async () => {
    const known = await makeKey("operator.read", acme)
    const unknown = await makeKey("operator.read", acme)
    await enter({ token: known.key })
    scratch.broken = true
    try {
      equal((await enter({ token: known.key })).role, "viewer")
      equal((await enter({ token: gatewayToken })).role, "owner")
      for (const token of [unknown.key, `goclaw_${"0".repeat(32)}`]) await rejects(enter({ token }), named("kernel.database_unavailable"))
      await rejects(enter({ token: gatewayToken, userId: "ana", tenantRefs: ["globex"] }), named("kernel.database_unavailable"))
      await rejects(enter({ senderId: randomUUID() }), named("kernel.database_unavailable"))
    } finally {
      scratch.broken = false
    }
    equal((await enter({ token: unknown.key })).role, "viewer")
  })
})
