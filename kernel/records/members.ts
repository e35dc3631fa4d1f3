import { randomUUIDv7 } from "node:crypto"
import { type Member, memberRoles, row, sql, type TenantsService } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Database } from "../db/database.ts"
import { demandTenant } from "./tenant-rows.ts"

const MemberRow = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  user_id: Type.String(),
  display_name: Type.Union([Type.String(), Type.Null()]),
  role: Type.Enum([...memberRoles]),
  metadata: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  created_at: Type.String(),
  updated_at: Type.String(),
})
const Nothing = row(Type.Object({}))

/** Who belongs to which tenant. Rules: wire contract, http-core 7. */
export function createMembers({ db }: { db: Database }): Pick<TenantsService, "members" | "search" | "addMember" | "removeMember"> {
  return {
    async members(caller, ref, limit, offset) {
      const { id } = await demandTenant(db.kernel, caller, ref)
      const rows = await db.kernel.any(sql.type(row(MemberRow))`
        SELECT id, tenant_id, user_id, display_name, role, metadata, created_at, updated_at FROM kernel.members
        WHERE tenant_id = ${id} ORDER BY user_id LIMIT ${limit} OFFSET ${offset}`)
      return rows.map(memberOf)
    },
    async search(caller, text, limit) {
      const rows = await db.kernel.any(sql.type(row(MemberRow))`
        SELECT id, tenant_id, user_id, display_name, role, metadata, created_at, updated_at FROM kernel.members
        WHERE tenant_id = ${caller.tenantId} AND strpos(lower(user_id || ' ' || coalesce(display_name, '')), lower(${text})) > 0 ORDER BY user_id LIMIT ${limit}`)
      return rows.map(memberOf)
    },
    async addMember(caller, ref, userId, role) {
      await db.kernel.transaction(async (tx) => {
        const { id } = await demandTenant(tx, caller, ref)
        await tx.query(sql.type(Nothing)`
          INSERT INTO kernel.members (id, tenant_id, user_id, role) VALUES (${randomUUIDv7()}, ${id}, ${userId}, ${role})
          ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, updated_at = now()`)
        tx.audit(caller, { action: "tenant.user.added", entityType: "tenant", entityId: id, details: { user_id: userId, role } })
        tx.publish("kernel.member_changed", { userId }, id)
      })
    },
    async removeMember(caller, ref, userId) {
      await db.kernel.transaction(async (tx) => {
        const { id } = await demandTenant(tx, caller, ref)
        const { rowCount } = await tx.query(sql.type(Nothing)`DELETE FROM kernel.members WHERE tenant_id = ${id} AND user_id = ${userId}`)
        if (rowCount === 0) return
        tx.audit(caller, { action: "tenant.user.removed", entityType: "tenant", entityId: id, details: { user_id: userId } })
        tx.publish("kernel.member_changed", { userId, removed: true }, id)
      })
    },
  }
}

function memberOf({ display_name, metadata, ...rest }: Static<typeof MemberRow>): Member {
  return { ...rest, ...(display_name !== null && { display_name }), ...(metadata !== null && { metadata }) }
}
