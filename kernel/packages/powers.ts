import { type Caller, hasRole } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import { masterTenantId } from "../tenancy.ts"

/** Plugins, their packages and settings belong to the whole gateway: to its owners, and to the admins of the tenant that runs it. */
export function mayChangeAll(caller: Caller): boolean {
  return hasRole(caller, "owner") || (hasRole(caller, "admin") && caller.tenantId === masterTenantId)
}

export function demandChangeAll(caller: Caller): void {
  if (!mayChangeAll(caller)) throw fail("plugin_for_owners")
}
