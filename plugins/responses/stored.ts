import { jsonText, type ModelMessage, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Nothing = row(Type.Object({}))

/** Null when there is none of that id, or it is another user's. */
export async function conversationOf(db: Queries, id: string, userId: string): Promise<ModelMessage[] | null> {
  const found = await db.maybeOne(sql.type(row(Type.Object({ messages: Type.Array(Type.Unknown()) })))`
    SELECT messages FROM responses.responses WHERE id = ${id} AND user_id = ${userId}`)
  return found && (found.messages as ModelMessage[])
}

export async function keepConversation(db: Queries, id: string, userId: string, messages: readonly ModelMessage[]): Promise<void> {
  await db.query(sql.type(Nothing)`INSERT INTO responses.responses (id, user_id, messages) VALUES (${id}, ${userId}, ${jsonText(messages)}::jsonb)`)
}

export async function pruneConversations(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM responses.responses WHERE created_at < now() - make_interval(days => ${keepDays})`)
}
