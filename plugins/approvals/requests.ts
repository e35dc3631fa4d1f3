import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
export const RequestRow = Type.Object({
  id: Text,
  run_id: Text,
  session_key: Text,
  agent_id: Type.Union([Text, Type.Null()]),
  agent_key: Text,
  user_id: Text,
  tool: Text,
  risk: Text,
  arguments: Text,
  hash: Text,
  status: Type.Enum(["pending", "approved", "denied", "expired", "cancelled"]),
  decided_by: Type.Union([Text, Type.Null()]),
  reason: Text,
  created_at: Text,
  expires_at: Text,
})
export type RequestRow = Static<typeof RequestRow>
export type Ending = Exclude<RequestRow["status"], "pending">

const columns = sql.fragment`id, run_id, session_key, agent_id, agent_key, user_id, tool, risk, arguments, hash, status, decided_by, reason, created_at, expires_at`

/** Those that still wait, oldest first; null: everybody's. */
export function listPending(db: Queries, userId: string | null, limit: number, offset: number) {
  return db.any(sql.type(row(RequestRow))`
    SELECT ${columns} FROM approvals.requests
    WHERE status = 'pending' AND expires_at > now() AND (${userId}::text IS NULL OR user_id = ${userId}) ORDER BY created_at, id LIMIT ${limit} OFFSET ${offset}`)
}

/** One whose time is up is expired, also when nobody has written that down yet. */
export function findRequest(db: Queries, id: string) {
  return db.maybeOne(sql.type(row(RequestRow))`
    SELECT id, run_id, session_key, agent_id, agent_key, user_id, tool, risk, arguments, hash,
      CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired' ELSE status END AS status, decided_by, reason, created_at, expires_at
    FROM approvals.requests WHERE id = ${id}`)
}

/** Null when `most` calls of the tenant wait already. */
export function insertRequest(
  db: Queries,
  request: Omit<RequestRow, "status" | "decided_by" | "reason" | "created_at" | "expires_at"> & { expirySeconds: number },
  most: number,
): Promise<RequestRow | null> {
  const { id, run_id, session_key, agent_id, agent_key, user_id, tool, risk, arguments: args, hash, expirySeconds } = request
  return db.maybeOne(sql.type(row(RequestRow))`
    INSERT INTO approvals.requests (id, run_id, session_key, agent_id, agent_key, user_id, tool, risk, arguments, hash, expires_at)
    SELECT ${id}::uuid, ${run_id}::uuid, ${session_key}, ${agent_id}::uuid, ${agent_key}, ${user_id}, ${tool}, ${risk}, ${args}, ${hash}, now() + make_interval(secs => ${expirySeconds})
    WHERE (SELECT count(*) FROM approvals.requests WHERE status = 'pending' AND expires_at > now()) < ${most}
    RETURNING ${columns}`)
}

/** Null when it does not wait any more. An answer comes before the end of its time; `late` is for those who write down that it is over. */
export function settleRequest(db: Queries, id: string, ending: Ending, by: string | null, reason: string, late = false) {
  return db.maybeOne(sql.type(row(RequestRow))`
    UPDATE approvals.requests SET status = ${ending}, decided_by = ${by}, reason = ${reason}, decided_at = now()
    WHERE id = ${id} AND status = 'pending' AND (${late} OR expires_at > now()) RETURNING ${columns}`)
}

/** The run is gone: nothing waits any more. */
export function expireOfRun(db: Queries, runId: string) {
  return db.query(sql.type(row(RequestRow))`
    UPDATE approvals.requests SET status = 'expired', decided_at = now() WHERE run_id = ${runId} AND status = 'pending' RETURNING ${columns}`)
}

export async function pruneRequests(db: Queries, keepDays: number): Promise<void> {
  const Nothing = row(Type.Object({}))
  await db.query(sql.type(Nothing)`
    UPDATE approvals.requests SET status = 'expired', decided_at = now() WHERE status = 'pending' AND expires_at < now() - interval '1 hour'`)
  await db.query(sql.type(Nothing)`DELETE FROM approvals.requests WHERE status <> 'pending' AND created_at < now() - make_interval(days => ${keepDays})`)
}
