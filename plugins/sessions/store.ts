import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
export const SessionRow = Type.Object({
  id: Text,
  session_key: Text,
  agent_key: Text,
  user_id: Text,
  channel: Text,
  label: Text,
  provider: Text,
  model: Text,
  summary: Text,
  metadata: Type.Record(Text, Type.Unknown()),
  message_count: Type.Integer(),
  input_tokens: Type.Integer(),
  output_tokens: Type.Integer(),
  compaction_count: Type.Integer(),
  context_tokens: Type.Integer(),
  active_run: Type.Union([Text, Type.Null()]),
  created_at: Text,
  updated_at: Text,
})
export type SessionRow = Static<typeof SessionRow>

const columns = sql.fragment`id, session_key, agent_key, user_id, channel, label, provider, model, summary, metadata, message_count, input_tokens, output_tokens, compaction_count, context_tokens, active_run, created_at, updated_at`
const Nothing = row(Type.Object({}))
const Count = row(Type.Object({ count: Type.Integer() }))

export interface Filter {
  userId: string | null
  agentKey: string | null
  channel: string | null
}

const fits = ({ userId, agentKey, channel }: Filter) => sql.fragment`
  (${userId}::text IS NULL OR user_id = ${userId}) AND (${agentKey}::text IS NULL OR agent_key = ${agentKey}) AND (${channel}::text IS NULL OR channel = ${channel})`

/** Newest first. */
export function listSessions(db: Queries, filter: Filter, limit: number, offset: number) {
  return db.any(sql.type(row(SessionRow))`SELECT ${columns} FROM sessions.sessions WHERE ${fits(filter)} ORDER BY ranked_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
}

export async function countSessions(db: Queries, filter: Filter): Promise<number> {
  return (await db.one(sql.type(Count)`SELECT count(*) AS count FROM sessions.sessions WHERE ${fits(filter)}`)).count
}

export function findSession(db: Queries, key: string) {
  return db.maybeOne(sql.type(row(SessionRow))`SELECT ${columns} FROM sessions.sessions WHERE session_key = ${key}`)
}

/** Held until the transaction ends. */
export function lockSession(db: Queries, id: string) {
  return db.maybeOne(sql.type(row(SessionRow))`SELECT ${columns} FROM sessions.sessions WHERE id = ${id} FOR UPDATE`)
}

/** True while a run holds the session. */
export async function isBusy(db: Queries, session: Pick<SessionRow, "active_run">): Promise<boolean> {
  if (session.active_run === null) return false
  return (await db.maybeOne(sql.type(Nothing)`SELECT 1 FROM sessions.runs WHERE id = ${session.active_run} AND status = 'running' AND lease_until > now()`)) !== null
}

export async function updateSession(db: Queries, id: string, change: { label: string | null; model: string | null; metadata: object }): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE sessions.sessions SET label = coalesce(${change.label}, label), model_override = coalesce(${change.model}, model_override), model = coalesce(${change.model}, model),
      metadata = metadata || ${jsonText(change.metadata)}::jsonb, updated_at = now(), ranked_at = now() WHERE id = ${id}`)
}

export async function clearSession(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM sessions.messages WHERE session_id = ${id}`)
  await db.query(
    sql.type(Nothing)`UPDATE sessions.sessions SET message_count = 0, summary = '', summarized_to = 0, context_tokens = 0, updated_at = now(), ranked_at = now() WHERE id = ${id}`,
  )
}

export async function deleteSession(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM sessions.sessions WHERE id = ${id}`)
}

export async function deleteSessionsOfAgent(db: Queries, agentKey: string): Promise<number> {
  return (await db.query(sql.type(Nothing)`DELETE FROM sessions.sessions WHERE agent_key = ${agentKey}`)).rowCount
}

/** Behind everything that is there, also behind what a run under way will add. */
export async function appendMessage(db: Queries, sessionId: string, id: string, content: string): Promise<void> {
  await db.query(sql.type(Nothing)`
    WITH s AS (UPDATE sessions.sessions SET next_ordinal = next_ordinal + 1, message_count = message_count + 1, updated_at = now(), ranked_at = now() WHERE id = ${sessionId} RETURNING next_ordinal)
    INSERT INTO sessions.messages (id, session_id, ordinal, role, content) SELECT ${id}, ${sessionId}, next_ordinal - 1, 'assistant', ${content} FROM s`)
}

export function newestSession(db: Queries, userId: string, agentKey: string, running: boolean) {
  return db.maybeOne(sql.type(row(Type.Object({ session_key: Text })))`
    SELECT session_key FROM sessions.sessions WHERE user_id = ${userId} AND agent_key = ${agentKey} AND (NOT ${running} OR active_run IS NOT NULL)
    ORDER BY ranked_at DESC, id DESC LIMIT 1`)
}
