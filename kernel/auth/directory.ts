import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"
import type { TenantFacts } from "./auth.ts"
import { Lookup } from "./lookup.ts"

/** Tenants and who belongs to them, as far as the door needs to know. */
export interface Directory {
  byId(id: string): Promise<TenantFacts | null>
  /** The first of these ids or slugs that names a tenant. */
  firstOf(refs: readonly string[]): Promise<TenantFacts | null>
  isMember(tenantId: string, userId: string): Promise<boolean>
  /** The tenant of an approved, unexpired browser pairing. */
  pairedTenant(senderId: string): Promise<string | null>
}

const TenantRow = Type.Object({ id: Type.String(), slug: Type.String(), name: Type.String(), status: Type.Enum(["active", "suspended", "archived"]) })
const MemberRow = Type.Object({ role: Type.String() })
const PairingRow = Type.Object({ tenant_id: Type.String(), expires_at: Type.String() })

const minute = 60_000
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Slugs and UUIDs alike; anything else is not worth a look. Source: wire contract, http-core 1.5. */
const tenantRef = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export function createDirectory({ db, bus }: { db: Database; bus: EventBus }): Directory {
  const tenants = new Lookup<TenantFacts>({
    max: 10_000,
    ttlMs: minute,
    missTtlMs: 2_000,
    load: (ref) =>
      db.kernel.maybeOne(
        uuid.test(ref)
          ? sql.type(row(TenantRow))`SELECT id, slug, name, status FROM kernel.tenants WHERE id = ${ref}`
          : sql.type(row(TenantRow))`SELECT id, slug, name, status FROM kernel.tenants WHERE slug = ${ref}`,
      ),
  })
  const members = new Lookup<{ tenantId: string; userId: string }>({
    max: 50_000,
    ttlMs: minute,
    missTtlMs: 2_000,
    async load(slot) {
      const tenantId = slot.slice(0, 36)
      const userId = slot.slice(36)
      const member = await db.kernel.maybeOne(sql.type(row(MemberRow))`SELECT role FROM kernel.members WHERE tenant_id = ${tenantId} AND user_id = ${userId}`)
      return member && { tenantId, userId }
    },
  })
  const pairings = new Lookup<{ senderId: string; tenantId: string; expiresAt: number }>({
    max: 10_000,
    ttlMs: minute,
    missTtlMs: 2_000,
    async load(senderId) {
      const found = await db.kernel.maybeOne(sql.type(row(PairingRow))`
        SELECT tenant_id, expires_at FROM kernel.pairings
        WHERE channel = 'browser' AND sender_id = ${senderId} AND status = 'approved' AND expires_at > now()`)
      return found && { senderId, tenantId: found.tenant_id, expiresAt: Date.parse(found.expires_at) }
    },
  })
  bus.subscribe("kernel.tenant_changed", ({ tenantId }) => tenants.forget((tenant) => tenant.id === tenantId))
  bus.subscribe("kernel.member_changed", ({ tenantId, payload }) => {
    const { userId } = payload as { userId: string }
    members.forget((member) => member.tenantId === tenantId && member.userId === userId)
  })
  bus.subscribe("kernel.pairing_changed", ({ payload }) => {
    const { senderId } = payload as { senderId: string }
    pairings.forget((pairing) => pairing.senderId === senderId)
  })
  return {
    byId: async (id) => tenants.get(id),
    async firstOf(refs) {
      for (const ref of refs) {
        const wanted = ref.toLowerCase()
        if (!tenantRef.test(wanted)) continue
        const tenant = wanted === masterTenantSlug || wanted === masterTenantId ? master : await tenants.get(wanted)
        if (tenant) return tenant
      }
      return null
    },
    isMember: async (tenantId, userId) => (await members.get(tenantId + userId)) !== null,
    async pairedTenant(senderId) {
      const pairing = await pairings.get(senderId)
      return pairing !== null && pairing.expiresAt > Date.now() ? pairing.tenantId : null
    },
  }
}

/** Entered without a look at the database: it always exists and is never suspended. */
export const master: TenantFacts = { id: masterTenantId, slug: masterTenantSlug, name: "Master", status: "active" }
