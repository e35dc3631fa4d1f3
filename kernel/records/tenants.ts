import { hasRole, row, sql, type TenantsService } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"

const TenantRow = Type.Object({
  id: Type.String(),
  name: Type.String(),
  slug: Type.String(),
  status: Type.Enum(["active", "suspended", "archived"]),
  settings: Type.Record(Type.String(), Type.Unknown()),
  created_at: Type.String(),
  updated_at: Type.String(),
  role: Type.String(),
})

/** Tenants over the kernel's own tables. Rows: wire contract, websocket 4.16. */
export function createTenantsService({ db }: { db: Database }): TenantsService {
  return {
    mine(caller) {
      if (hasRole(caller, "owner")) {
        return db.kernel.any(sql.type(row(TenantRow))`
          SELECT id, name, slug, status, settings, created_at, updated_at, 'owner' AS role FROM kernel.tenants
          ORDER BY created_at, id LIMIT 1000`)
      }
      // A key that belongs to a tenant enters no other, whoever it says it acts for.
      return db.kernel.any(sql.type(row(TenantRow))`
        SELECT t.id, t.name, t.slug, t.status, t.settings, t.created_at, t.updated_at, coalesce(m.role, ${caller.role}) AS role
        FROM kernel.tenants t
        LEFT JOIN kernel.members m ON m.tenant_id = t.id AND m.user_id = ${caller.userId}
          AND NOT EXISTS (SELECT 1 FROM kernel.api_keys k WHERE k.id = ${caller.keyId ?? null}::uuid AND k.tenant_id IS NOT NULL)
        WHERE t.id = ${caller.tenantId} OR m.user_id IS NOT NULL
        ORDER BY t.created_at, t.id LIMIT 1000`)
    },
  }
}
