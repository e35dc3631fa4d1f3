import { type Caller, row, seesAll, sql, type TenantDb } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

export const Clipping = Type.Object({ id: Type.String(), title: Type.String(), text: Type.String(), created_at: Type.String() })
export type Clipping = Static<typeof Clipping>

const Count = Type.Object({ count: Type.Integer() })
const Id = Type.Object({ id: Type.String() })

/** Whose clippings somebody sees: one's own; null: everybody's of the tenant. */
function readerOf(caller: Caller): string | null {
  return seesAll(caller) ? null : caller.userId
}

/** Newest first. */
export function listClippings(db: TenantDb, caller: Caller, limit: number, offset: number) {
  const reader = readerOf(caller)
  return db.any(sql.type(row(Clipping))`
    SELECT id, title, text, created_at FROM clippings.clippings
    WHERE ${reader}::text IS NULL OR user_id = ${reader}
    ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
}

/** Null when there is none, or it is somebody else's. */
export function findClipping(db: TenantDb, caller: Caller, id: string) {
  const reader = readerOf(caller)
  return db.maybeOne(sql.type(row(Clipping))`
    SELECT id, title, text, created_at FROM clippings.clippings
    WHERE id = ${id} AND (${reader}::text IS NULL OR user_id = ${reader})`)
}

/** Null when the user has `most` of them already. */
export function insertClipping(db: Pick<TenantDb, "maybeOne">, userId: string, clipping: { title: string; text: string }, most: number) {
  return db.maybeOne(sql.type(row(Id))`
    INSERT INTO clippings.clippings (user_id, title, text)
    SELECT ${userId}, ${clipping.title}, ${clipping.text}
    WHERE (SELECT count(*) FROM clippings.clippings WHERE user_id = ${userId}) < ${most}
    RETURNING id`)
}

/** How many were removed; 1,000 at most, so that no lock is held for long. */
export async function removeOlder(db: TenantDb, days: number): Promise<number> {
  const { count } = await db.one(sql.type(row(Count))`
    WITH removed AS (
      DELETE FROM clippings.clippings
      WHERE id IN (SELECT id FROM clippings.clippings WHERE created_at < now() - make_interval(days => ${days}::int) ORDER BY created_at LIMIT 1000)
      RETURNING 1
    )
    SELECT count(*)::int AS count FROM removed`)
  return count
}
