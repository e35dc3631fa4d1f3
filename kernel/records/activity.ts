import { type ActivityEntry, type ActivityFilter, type AuditService, row, seesAll, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Database } from "../db/database.ts"

const NullableText = Type.Union([Type.String(), Type.Null()])
const EntryRow = Type.Object({
  id: Type.String(),
  actor_type: Type.String(),
  actor_id: Type.String(),
  action: Type.String(),
  entity_type: NullableText,
  entity_id: NullableText,
  details: Type.Unknown(),
  ip_address: NullableText,
  created_at: Type.String(),
})
const Count = Type.Object({ count: Type.Integer() })

/** The audit log, read under the caller's tenant. Rules: wire contract, http-observability 4. */
export function createAuditService({ db }: { db: Database }): AuditService {
  return {
    async list(caller, filter, limit, offset) {
      const bound = db.tenant("kernel", caller)
      const fits = fragmentOf(seesAll(caller) ? filter : { ...filter, actor_id: caller.userId })
      const [rows, { count }] = await Promise.all([
        bound.any(sql.type(row(EntryRow))`
          SELECT id, actor_type, actor_id, action, entity_type, entity_id, details, ip_address, created_at FROM kernel.activity
          WHERE ${fits} ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
        bound.one(sql.type(row(Count))`SELECT count(*) AS count FROM kernel.activity WHERE ${fits}`),
      ])
      return { entries: rows.map(entryOf), total: count }
    },
  }
}

function fragmentOf({ actor_type = null, actor_id = null, action = null, entity_type = null, entity_id = null }: { [K in keyof ActivityFilter]?: string | null }) {
  return sql.fragment`(${actor_type}::text IS NULL OR actor_type = ${actor_type}) AND (${actor_id}::text IS NULL OR actor_id = ${actor_id})
    AND (${action}::text IS NULL OR action = ${action}) AND (${entity_type}::text IS NULL OR entity_type = ${entity_type}) AND (${entity_id}::text IS NULL OR entity_id = ${entity_id})`
}

function entryOf({ entity_type, entity_id, ip_address, ...rest }: Static<typeof EntryRow>): ActivityEntry {
  return { ...rest, ...(entity_type && { entity_type }), ...(entity_id && { entity_id }), ...(ip_address && { ip_address }) }
}
