import { type Queries, row, type StoredMessage, sql } from "@plugboard/sdk"
import { Type } from "typebox"

/** Text of one page, in bytes: what a socket can be sent, and what reading costs everyone else, has a bound whatever users and tools have said. */
const pageBytes = 4 << 20

const Page = Type.Object({ messages: Type.Array(Type.Unknown()), more: Type.Boolean() })

export interface MessagePage {
  /** Oldest first. */
  messages: StoredMessage[]
  /** There are older ones. */
  more: boolean
}

/** The newest messages between two ordinals, as many as `limit` and the page's size allow, and one at least. */
export async function messagesBetween(db: Queries, sessionId: string, after: number, before: number | null, limit: number): Promise<MessagePage> {
  // Sizes are known without reading what they are of.
  const page = await db.one(sql.type(row(Page))`
    WITH newest AS (
      SELECT id, row_number() OVER latest AS place, sum(octet_length(content) + coalesce(octet_length(thinking), 0) + coalesce(pg_column_size(tool_calls), 0) + coalesce(pg_column_size(parts), 0)) OVER latest AS size
      FROM (
        SELECT * FROM sessions.messages WHERE session_id = ${sessionId} AND ordinal > ${after} AND (${before}::bigint IS NULL OR ordinal < ${before}::bigint)
        ORDER BY ordinal DESC LIMIT ${limit + 1}) m
      WINDOW latest AS (ORDER BY ordinal DESC)),
    shown AS (SELECT id FROM newest WHERE place = 1 OR (place <= ${limit} AND size <= ${pageBytes}))
    SELECT coalesce((SELECT jsonb_agg(sessions.message_json(m) ORDER BY m.ordinal) FROM sessions.messages m JOIN shown USING (id)), '[]') AS messages,
      (SELECT count(*) FROM newest) > (SELECT count(*) FROM shown) AS more`)
  return page as MessagePage
}

/** The place of a message; null when the session has none of that id. */
export async function placeOf(db: Queries, sessionId: string, messageId: string): Promise<number | null> {
  const found = await db.maybeOne(sql.type(row(Type.Object({ ordinal: Type.Integer() })))`
    SELECT ordinal FROM sessions.messages WHERE id::text = ${messageId.toLowerCase()} AND session_id = ${sessionId}`)
  return found?.ordinal ?? null
}
