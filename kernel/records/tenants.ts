import { randomUUIDv7 } from "node:crypto"
import { hasRole, jsonText, row, sql, type TenantsService } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import { fail } from "../failures.ts"
import { masterTenantId } from "../tenancy.ts"
import { noteGone } from "../upkeep/gone-tenants.ts"
import { createMembers } from "./members.ts"
import { demandTenant, TenantFields, tenantColumns, tenantRow } from "./tenant-rows.ts"

const Mine = row(Type.Object({ ...TenantFields, role: Type.String() }))
const Nothing = row(Type.Object({}))

/** Tenants over the kernel's own tables. Rows and rules: wire contract, websocket 4.16, http-core 7. */
export function createTenantsService(rooms: { db: Database; forget(): Promise<void> }): TenantsService {
  const { kernel } = rooms.db
  return {
    ...createMembers(rooms),
    mine(caller) {
      if (hasRole(caller, "owner")) {
        return kernel.any(sql.type(Mine)`SELECT ${tenantColumns}, 'owner' AS role FROM kernel.tenants ORDER BY created_at, id LIMIT 1000`)
      }
      // A key that belongs to a tenant enters no other, whoever it says it acts for.
      return kernel.any(sql.type(Mine)`
        SELECT t.id, t.name, t.slug, t.status, t.settings, t.created_at, t.updated_at, coalesce(m.role, ${caller.role}) AS role
        FROM kernel.tenants t
        LEFT JOIN kernel.members m ON m.tenant_id = t.id AND m.user_id = ${caller.userId}
          AND NOT EXISTS (SELECT 1 FROM kernel.api_keys k WHERE k.id = ${caller.keyId ?? null}::uuid AND k.tenant_id IS NOT NULL)
        WHERE t.id = ${caller.tenantId} OR m.user_id IS NOT NULL
        ORDER BY t.created_at, t.id LIMIT 1000`)
    },
    list: (_, limit, offset) => kernel.any(sql.type(tenantRow)`SELECT ${tenantColumns} FROM kernel.tenants ORDER BY created_at, id LIMIT ${limit} OFFSET ${offset}`),
    get: (caller, ref) => demandTenant(kernel, caller, ref),
    create: (caller, { name, slug, settings = {} }) =>
      kernel.transaction(async (tx) => {
        const made = await tx.maybeOne(sql.type(tenantRow)`
          INSERT INTO kernel.tenants (id, name, slug, settings) VALUES (${randomUUIDv7()}, ${name}, ${slug}, ${jsonText(settings)}::jsonb)
          ON CONFLICT (slug) DO NOTHING RETURNING ${tenantColumns}`)
        if (!made) throw fail("tenant_taken", { slug })
        tx.audit(caller, { action: "tenant.created", entityType: "tenant", entityId: made.id, details: { name, slug } })
        tx.publish("kernel.tenant_changed", {}, made.id)
        return made
      }),
    update: (caller, ref, { name = null, status = null, settings }) =>
      kernel.transaction(async (tx) => {
        const { id } = await demandTenant(tx, caller, ref, { lock: true })
        if (id === masterTenantId && status !== null && status !== "active") throw fail("master_stays")
        const changed = await tx.one(sql.type(tenantRow)`
          UPDATE kernel.tenants SET name = coalesce(${name}, name), status = coalesce(${status}, status),
            settings = coalesce(${settings === undefined ? null : jsonText(settings)}::jsonb, settings), updated_at = now()
          WHERE id = ${id} RETURNING ${tenantColumns}`)
        // Settings may hold anything; that they changed is all that is told.
        const details = { ...(name !== null && { name }), ...(status !== null && { status }), ...(settings !== undefined && { settings: "changed" }) }
        tx.audit(caller, { action: "tenant.updated", entityType: "tenant", entityId: id, details })
        tx.publish("kernel.tenant_changed", { closed: changed.status !== "active" }, id)
        return changed
      }),
    async remove(caller, ref) {
      await kernel.transaction(async (tx) => {
        const { id, slug } = await demandTenant(tx, caller, ref, { lock: true })
        if (id === masterTenantId) throw fail("master_stays")
        await tx.query(sql.type(Nothing)`DELETE FROM kernel.tenants WHERE id = ${id}`)
        await noteGone(tx, id)
        tx.audit(caller, { action: "tenant.deleted", entityType: "tenant", entityId: id, details: { slug } })
        tx.publish("kernel.tenant_changed", { closed: true }, id)
      })
      // Nobody reaches its rows any more; the answer does not wait for them to go.
      void rooms.forget()
    },
  }
}
