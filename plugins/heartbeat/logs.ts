import { randomUUIDv7 } from "node:crypto"
import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
const LogRow = Type.Object({
  id: Text,
  heartbeat_id: Text,
  agent_id: Text,
  ran_at: Text,
  status: Text,
  summary: Nullable,
  error: Nullable,
  skip_reason: Nullable,
  duration_ms: Type.Union([Type.Integer(), Type.Null()]),
  input_tokens: Type.Integer(),
  output_tokens: Type.Integer(),
  created_at: Text,
})
export type LogRow = Static<typeof LogRow>
const Nothing = row(Type.Object({}))

/** How a beat ended. */
export interface End {
  status: "ok" | "suppressed" | "error" | "skipped"
  summary: string | null
  error: string | null
  /** Of `skipped`: why it did not run; of any other: why its answer went nowhere. */
  skipReason: string | null
  durationMs: number
  inputTokens: number
  outputTokens: number
}

/** Newest first. */
export async function listLogs(db: Queries, agentId: string, limit: number, offset: number) {
  const [logs, { count }] = await Promise.all([
    db.any(sql.type(row(LogRow))`
      SELECT l.id, heartbeat_id, l.agent_id, ran_at, status, summary, error, skip_reason, duration_ms, input_tokens, output_tokens, l.created_at
      FROM heartbeat.logs l JOIN heartbeat.heartbeats h ON h.id = l.heartbeat_id WHERE h.agent_id = ${agentId} ORDER BY ran_at DESC, l.id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`
      SELECT count(*) AS count FROM heartbeat.logs l JOIN heartbeat.heartbeats h ON h.id = l.heartbeat_id WHERE h.agent_id = ${agentId}`),
  ])
  return { logs, total: count }
}

/** The row of a beat that begins. One that a dead gateway left open is closed. */
export async function openLog(db: Queries, heartbeat: { id: string; agent_id: string }, startedAt: number, sessionKey: string | null, interrupted: string): Promise<string> {
  const id = randomUUIDv7()
  await db.query(sql.type(Nothing)`UPDATE heartbeat.logs SET status = 'error', error = ${interrupted} WHERE heartbeat_id = ${heartbeat.id} AND status = 'running'`)
  await db.query(sql.type(Nothing)`
    INSERT INTO heartbeat.logs (id, heartbeat_id, agent_id, ran_at, status, session_key)
    VALUES (${id}, ${heartbeat.id}, ${heartbeat.agent_id}, ${new Date(startedAt).toISOString()}, 'running', ${sessionKey})`)
  await db.query(sql.type(Nothing)`UPDATE heartbeat.heartbeats SET last_status = 'running' WHERE id = ${heartbeat.id}`)
  return id
}

export async function closeLog(db: Queries, id: string, end: End): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE heartbeat.logs SET status = ${end.status}, summary = ${end.summary}, error = ${end.error}, skip_reason = ${end.skipReason}, duration_ms = ${end.durationMs},
      input_tokens = ${end.inputTokens}, output_tokens = ${end.outputTokens} WHERE id = ${id}`)
}

/** Keeps the newest; answers the sessions of those that go. */
export async function pruneLogs(db: Queries, heartbeatId: string, keep: number): Promise<string[]> {
  const { rows } = await db.query(sql.type(row(Type.Object({ session_key: Nullable })))`
    DELETE FROM heartbeat.logs WHERE id IN (SELECT id FROM heartbeat.logs WHERE heartbeat_id = ${heartbeatId} ORDER BY ran_at DESC, id DESC OFFSET ${keep} LIMIT 1000) RETURNING session_key`)
  return rows.flatMap(({ session_key }) => session_key ?? [])
}
