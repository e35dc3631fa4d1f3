import { type Queries, row, sql, type Tx } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
export const DelegationRow = Type.Object({
  id: Text,
  link_id: Text,
  source_agent_id: Text,
  source_agent_key: Text,
  source_name: Text,
  target_agent_id: Text,
  target_agent_key: Text,
  target_name: Text,
  team_id: Nullable,
  team_task_id: Nullable,
  user_id: Text,
  user_role: Text,
  task: Text,
  mode: Type.Enum(["sync", "async"]),
  status: Type.Enum(["running", "completed", "failed", "cancelled"]),
  result: Nullable,
  error: Nullable,
  iterations: Type.Integer(),
  run_id: Text,
  session_key: Text,
  parent_run_id: Text,
  parent_session_key: Text,
  parent_channel: Text,
  parent_chat_id: Text,
  chain: Type.Array(Text),
  round: Type.Integer(),
  announce_run_id: Nullable,
  duration_ms: Type.Integer(),
  created_at: Text,
  updated_at: Text,
  completed_at: Nullable,
})
export type DelegationRow = Static<typeof DelegationRow>
export type NewDelegation = Omit<DelegationRow, "status" | "result" | "error" | "iterations" | "duration_ms" | "created_at" | "updated_at" | "completed_at">
/** How a delegation has ended. */
export interface End {
  status: "completed" | "failed" | "cancelled"
  result?: string
  error?: string
  iterations: number
}

const columns = sql.fragment`id, link_id, source_agent_id, source_agent_key, source_name, target_agent_id, target_agent_key, target_name, team_id, team_task_id, user_id, user_role, task, mode,
  status, result, error, iterations, run_id, session_key, parent_run_id, parent_session_key, parent_channel, parent_chat_id, chain, round, announce_run_id,
  (1000 * extract(epoch FROM coalesce(completed_at, now()) - created_at))::integer AS duration_ms, created_at, updated_at, completed_at`
const Row = row(DelegationRow)
const Nothing = row(Type.Object({}))

/** Null when the link has `most` under way, on whichever node: those who begin one of the same link do so one after the other. */
export async function insertDelegation(tx: Tx, made: NewDelegation, most: number, lastsSeconds: number): Promise<DelegationRow | null> {
  await tx.one(sql.type(row(Type.Object({ locked: Type.Boolean() })))`SELECT true AS locked FROM pg_advisory_xact_lock(hashtextextended(${`delegation ${made.link_id}`}, 0))`)
  return tx.maybeOne(sql.type(Row)`
    INSERT INTO delegation.delegations (id, link_id, source_agent_id, source_agent_key, source_name, target_agent_id, target_agent_key, target_name, user_id, user_role, task, mode,
      run_id, session_key, parent_run_id, parent_session_key, parent_channel, parent_chat_id, chain, round, announce_run_id, team_id, team_task_id, expires_at)
    SELECT ${made.id}::uuid, ${made.link_id}::uuid, ${made.source_agent_id}::uuid, ${made.source_agent_key}, ${made.source_name}, ${made.target_agent_id}::uuid, ${made.target_agent_key},
      ${made.target_name}, ${made.user_id}, ${made.user_role}, ${made.task}, ${made.mode}, ${made.run_id}::uuid, ${made.session_key}, ${made.parent_run_id}::uuid, ${made.parent_session_key},
      ${made.parent_channel}, ${made.parent_chat_id}, ${sql.array(made.chain, "uuid")}, ${made.round}, ${made.announce_run_id}::uuid, ${made.team_id}::uuid, ${made.team_task_id}::uuid, now() + make_interval(secs => ${lastsSeconds})
    WHERE (SELECT count(*) FROM delegation.delegations WHERE link_id = ${made.link_id} AND status = 'running' AND expires_at > now()) < ${most}
    RETURNING ${columns}`)
}

/** The delegation that a run works on, or whose result it is told. */
export function findOrigin(db: Queries, runId: string) {
  return db.maybeOne(sql.type(Row)`SELECT ${columns} FROM delegation.delegations WHERE run_id = ${runId} OR announce_run_id = ${runId}`)
}

export function findDelegation(db: Queries, id: string) {
  return db.maybeOne(sql.type(Row)`SELECT ${columns} FROM delegation.delegations WHERE id = ${id}`)
}

/** Null when it has ended already: then somebody else has told so. */
export function endDelegation(db: Queries, id: string, { status, result, error, iterations }: End) {
  return db.maybeOne(sql.type(Row)`
    UPDATE delegation.delegations SET status = ${status}, result = ${result ?? null}, error = ${error ?? null}, iterations = ${iterations}, updated_at = now(), completed_at = now()
    WHERE id = ${id} AND status = 'running' RETURNING ${columns}`)
}

/** Those that a run has begun and that are under way: they end with it, and nobody is told what they did. */
export async function cancelOfParent(db: Queries, parentRunId: string): Promise<DelegationRow[]> {
  const { rows } = await db.query(sql.type(Row)`
    UPDATE delegation.delegations SET status = 'cancelled', updated_at = now(), completed_at = now(), announced_at = now()
    WHERE parent_run_id = ${parentRunId} AND status = 'running' RETURNING ${columns}`)
  return rows
}

/** The one whose run was cut off, or all whose time is long over. */
export async function failRunning(db: Queries, which: { runId: string } | "overdue", error: string): Promise<DelegationRow[]> {
  const runId = which === "overdue" ? null : which.runId
  const { rows } = await db.query(sql.type(Row)`
    UPDATE delegation.delegations SET status = 'failed', error = ${error}, updated_at = now(), completed_at = now()
    WHERE status = 'running' AND (run_id = ${runId}::uuid OR (${runId}::uuid IS NULL AND expires_at < now())) RETURNING ${columns}`)
  return rows
}

/** Ended a while ago, and the source agent has not been told: its gateway stopped, or its session was full. */
export function unannounced(db: Queries) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM delegation.delegations
    WHERE announce_run_id IS NOT NULL AND announced_at IS NULL AND status <> 'running' AND completed_at BETWEEN now() - interval '1 day' AND now() - interval '5 seconds'
    ORDER BY completed_at LIMIT 200`)
}

export async function markAnnounced(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`UPDATE delegation.delegations SET announced_at = now() WHERE id = ${id}`)
}

export async function pruneDelegations(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM delegation.delegations WHERE status <> 'running' AND created_at < now() - make_interval(days => ${keepDays})`)
}

export async function deleteOfAgent(db: Queries, agentId: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM delegation.delegations WHERE source_agent_id = ${agentId} OR target_agent_id = ${agentId}`)
}

export interface Filter {
  /** Null, here and below: any. */
  userId: string | null
  /** Agents by key or id. */
  source: string | null
  target: string | null
  either: string | null
  teamId: string | null
  status: string | null
}

export async function listDelegations(db: Queries, filter: Filter, limit: number, offset: number): Promise<{ rows: DelegationRow[]; total: number }> {
  const { userId, source, target, either, teamId, status } = filter
  const fits = sql.fragment`(${userId}::text IS NULL OR user_id = ${userId})
    AND (${source}::text IS NULL OR ${source} IN (source_agent_key, source_agent_id::text)) AND (${target}::text IS NULL OR ${target} IN (target_agent_key, target_agent_id::text))
    AND (${either}::text IS NULL OR ${either} IN (source_agent_key, source_agent_id::text, target_agent_key, target_agent_id::text))
    AND (${teamId}::text IS NULL OR team_id::text = ${teamId}) AND (${status}::text IS NULL OR status = ${status})`
  const [rows, { count }] = await Promise.all([
    db.any(sql.type(Row)`SELECT ${columns} FROM delegation.delegations WHERE ${fits} ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`SELECT count(*) AS count FROM delegation.delegations WHERE ${fits}`),
  ])
  return { rows, total: count }
}
