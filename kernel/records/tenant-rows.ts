import { type Caller, hasRole, row, sql, type TenantRow } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Database, KernelTx } from "../db/database.ts"
import { fail } from "../failures.ts"

export const TenantFields = {
  id: Type.String(),
  name: Type.String(),
  slug: Type.String(),
  status: Type.Enum(["active", "suspended", "archived"]),
  settings: Type.Record(Type.String(), Type.Unknown()),
  created_at: Type.String(),
  updated_at: Type.String(),
}
const Tenant = Type.Object(TenantFields)
export const tenantRow = row(Tenant)
export const tenantColumns = sql.fragment`id, name, slug, status, settings, created_at, updated_at`

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Slugs and ids alike; anything else is not worth a look. Source: wire contract, http-core 1.5. */
const ref = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The tenant of that id or slug, locked when `db` is a transaction's and `lock` is asked for; `kernel.unknown_tenant` when the caller may not see it: below owner all but their own. */
export async function demandTenant(db: Database["kernel"] | KernelTx, caller: Caller, named: string, { lock = false } = {}): Promise<Static<typeof Tenant> & TenantRow> {
  const wanted = named.toLowerCase()
  const by = uuid.test(wanted) ? sql.fragment`id = ${wanted}` : sql.fragment`slug = ${wanted}`
  const held = lock ? sql.fragment`FOR UPDATE` : sql.fragment``
  const tenant = ref.test(wanted) ? await db.maybeOne(sql.type(tenantRow)`SELECT ${tenantColumns} FROM kernel.tenants WHERE ${by} ${held}`) : null
  const visible = tenant && (hasRole(caller, "owner") || tenant.id === caller.tenantId || (await provisionsAny(db, caller)))
  if (!visible) throw fail("unknown_tenant", { tenant: named.slice(0, 100) })
  return tenant
}

/** True for a key of the whole gateway that may provision. A key that belongs to a tenant reaches no other. */
async function provisionsAny(db: Database["kernel"] | KernelTx, { scopes, keyId }: Caller): Promise<boolean> {
  if (!scopes.includes("operator.provision") || keyId === undefined) return false
  return (await db.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM kernel.api_keys WHERE id = ${keyId} AND tenant_id IS NULL`)) !== null
}
