import { randomUUIDv7 } from "node:crypto"
import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Nullable = Type.Union([Type.String(), Type.Null()])
const Count = Type.Union([Type.Integer(), Type.Null()])
const EntryRow = Type.Object({
  job_id: Type.String(),
  id: Type.String(),
  started_at: Type.String(),
  status: Type.String(),
  error: Nullable,
  summary: Nullable,
  duration_ms: Count,
  input_tokens: Count,
  output_tokens: Count,
})
export type EntryRow = Static<typeof EntryRow>
const Nothing = row(Type.Object({}))

/** How a run ended, as the history keeps it. */
export interface End {
  status: "ok" | "error" | "skipped"
  error: string | null
  summary: string | null
  durationMs: number
  inputTokens: number | null
  outputTokens: number | null
}

/** Newest first. */
export async function listEntries(db: Queries, jobId: string, limit: number, offset: number) {
  const [entries, { count }] = await Promise.all([
    db.any(sql.type(row(EntryRow))`
      SELECT job_id, id, started_at, status, error, summary, duration_ms, input_tokens, output_tokens FROM cron.runs WHERE job_id = ${jobId}
      ORDER BY started_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`SELECT count(*) AS count FROM cron.runs WHERE job_id = ${jobId}`),
  ])
  return { entries, total: count }
}

/** The entry of a run that begins. One that a dead gateway left open is closed. */
export async function openEntry(db: Queries, jobId: string, startedAt: number, interrupted: string): Promise<string> {
  const id = randomUUIDv7()
  await db.query(sql.type(Nothing)`UPDATE cron.runs SET status = 'error', error = ${interrupted} WHERE job_id = ${jobId} AND status = 'running'`)
  await db.query(sql.type(Nothing)`INSERT INTO cron.runs (id, job_id, started_at, status) VALUES (${id}, ${jobId}, ${new Date(startedAt).toISOString()}, 'running')`)
  await db.query(sql.type(Nothing)`UPDATE cron.jobs SET last_status = 'running' WHERE id = ${jobId}`)
  return id
}

export async function closeEntry(db: Queries, jobId: string, id: string, end: End, keep: number): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE cron.runs SET status = ${end.status}, error = ${end.error}, summary = ${end.summary}, duration_ms = ${end.durationMs}, input_tokens = ${end.inputTokens},
      output_tokens = ${end.outputTokens} WHERE id = ${id}`)
  await db.query(sql.type(Nothing)`
    DELETE FROM cron.runs WHERE id IN (SELECT id FROM cron.runs WHERE job_id = ${jobId} ORDER BY started_at DESC, id DESC OFFSET ${keep})`)
}
