import { equal, throws } from "node:assert/strict"
import { type Access, type Caller, isError, roles, type Scope, scopes } from "@plugboard/sdk"
import fc from "fast-check"
import { demandAccess, mayGrant, roleOf } from "./powers.ts"

const anyScopes = fc.subarray([...scopes])
const base: Caller = { tenantId: "t", tenantSlug: "t", userId: "u", role: "viewer", scopes: [], locale: "en", via: "token" }
const keyCaller = (held: readonly Scope[]): Caller => ({ ...base, via: "key", keyId: "k", role: roleOf(held), scopes: held })
const anyCaller = fc.oneof(
  anyScopes.map(keyCaller),
  fc.constantFrom(...roles).map((role): Caller => ({ ...base, role })),
)
const anyAccess: fc.Arbitrary<Access> = fc.record({ role: fc.constantFrom(...roles), orScope: fc.option(fc.constantFrom(...scopes), { nil: undefined }) })

/** The accesses that the wire contract gives to a scope; no other method opens to it. */
const scopedAccess: Access[] = [
  { role: "owner", orScope: "operator.provision" },
  { role: "admin", orScope: "operator.pairing" },
  { role: "operator", orScope: "operator.approvals" },
]

const opens = (access: Access, caller: Caller) => {
  try {
    demandAccess(access, caller)
    return true
  } catch {
    return false
  }
}

describe("roles and scopes", () => {
  const table: [Scope[], string][] = [
    [[], "viewer"],
    [["operator.read"], "viewer"],
    [["operator.provision"], "viewer"],
    [["operator.write"], "operator"],
    [["operator.approvals"], "operator"],
    [["operator.pairing"], "operator"],
    [["operator.read", "operator.admin"], "admin"],
  ]
  for (const [held, role] of table) it(`makes a ${role} of ${held.join(" and ") || "no scope"}`, () => equal(roleOf(held), role))

  it("names the missing role", () => {
    throws(
      () => demandAccess({ role: "admin" }, base),
      (error) => isError(error, "kernel.forbidden") && error.failure.params.role === "admin",
    )
  })

  it("opens by role or by the declared scope, and by nothing else", () => {
    fc.assert(
      fc.property(anyAccess, anyCaller, (access, caller) => {
        const byRole = roles.indexOf(caller.role) >= roles.indexOf(access.role as (typeof roles)[number])
        const byScope = access.orScope !== undefined && caller.scopes.includes(access.orScope)
        equal(opens(access, caller), byRole || byScope)
      }),
    )
  })

  it("lets no one make a key that opens what they cannot open themselves, at one remove or more", () => {
    fc.assert(
      fc.property(anyCaller, fc.array(anyScopes, { minLength: 1, maxLength: 4 }), (creator, chain) => {
        let caller = creator
        for (const asked of chain) caller = keyCaller(asked.filter((scope) => mayGrant(caller, scope)))
        for (const access of [...roles.map((role): Access => ({ role })), ...scopedAccess]) equal(opens(access, caller) && !opens(access, creator), false)
      }),
    )
  })

  it("lets everyone pass on what they have", () => {
    fc.assert(fc.property(anyScopes, (held) => held.every((scope) => mayGrant(keyCaller(held), scope))))
  })
})
