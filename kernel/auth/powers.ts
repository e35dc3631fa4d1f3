import { type Access, type Caller, hasRole, type Role, runsGateway, type Scope, scopes } from "@plugboard/sdk"
import { fail } from "../failures.ts"

/** The least role that has what a scope opens: `pairing` opens methods of admins, `provision` those of owners. Source: wire contract, websocket 2.4 and 3. */
const roleBehind: Readonly<Record<Scope, Role>> = {
  "operator.read": "viewer",
  "operator.write": "operator",
  "operator.approvals": "operator",
  "operator.pairing": "admin",
  "operator.admin": "admin",
  "operator.provision": "owner",
}

export function isScope(scope: string): scope is Scope {
  return (scopes as readonly string[]).includes(scope)
}

/** The role that the scopes of a key give; never owner. Source: wire contract, websocket 2.4. */
export function roleOf(held: readonly Scope[]): Role {
  if (held.includes("operator.admin")) return "admin"
  if (held.includes("operator.write") || held.includes("operator.approvals") || held.includes("operator.pairing")) return "operator"
  return "viewer"
}

/** Of who comes in with the gateway token, or where authentication is off. Source: wire contract, http-core 1.2. */
export function roleByToken({ ownerIds }: { ownerIds: readonly string[] }, userId: string): Role {
  return (ownerIds.length > 0 ? ownerIds.includes(userId) : userId === "system") ? "owner" : "admin"
}

/** True when a key with `scope` could do nothing that the caller cannot. */
export function mayGrant(caller: Caller, scope: Scope): boolean {
  return hasRole(caller, roleBehind[scope]) || caller.scopes.includes(scope)
}

/** Throws `kernel.forbidden`, naming the role, when the caller is below it and has no key with the scope that also opens the door. */
export function demandAccess(access: Access, caller: Caller): void {
  if (access.auth === "public" || access.auth === "webhook") return
  const role = access.role ?? "viewer"
  if (hasRole(caller, role) && access.runsGateway && !runsGateway(caller)) throw fail("gateway_only")
  if (hasRole(caller, role)) return
  if (access.orScope !== undefined && caller.scopes.includes(access.orScope)) return
  throw fail("forbidden", { role })
}
