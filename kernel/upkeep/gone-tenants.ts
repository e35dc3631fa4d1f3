import { type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import type { GatewayLog } from "../log.ts"

const Nothing = row(Type.Object({}))
/** Rows of one table that go in one statement: a tenant of any size is forgotten within the time that a statement has. */
const most = 2_000

/** In the transaction that removes the tenant. */
export async function noteGone(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`INSERT INTO kernel.gone_tenants (id) VALUES (${id}) ON CONFLICT (id) DO NOTHING`)
}

/** Deletes what plugins kept of tenants that are gone, those too that an earlier start left behind. Where it is cut off the next start goes on. */
export async function forgetGone({ db, log }: { db: Pick<Database, "kernel">; log: GatewayLog }, stopping: AbortSignal): Promise<void> {
  const gone = await db.kernel.any(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM kernel.gone_tenants ORDER BY gone_at LIMIT 1000`)
  for (const { id } of gone) {
    let rows = 0
    for (;;) {
      if (stopping.aborted) return
      const { count } = await db.kernel.one(sql.type(row(Type.Object({ count: Type.Integer() })))`SELECT kernel.forget_tenant(${id}, ${most})::int AS count`)
      if (count === 0) break
      rows += count
    }
    await db.kernel.query(sql.type(Nothing)`DELETE FROM kernel.gone_tenants WHERE id = ${id}`)
    log.info({ gone: id, rows }, "rows of a removed tenant deleted")
  }
}
