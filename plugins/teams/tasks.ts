import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { TaskStatus } from "./forms.ts"
import { isUuid } from "./roster.ts"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
const TaskRow = Type.Object({
  id: Text,
  tenant_id: Text,
  team_id: Text,
  task_number: Type.Integer(),
  subject: Text,
  description: Text,
  status: TaskStatus,
  task_type: Text,
  priority: Type.Integer(),
  owner_agent_id: Nullable,
  created_by_agent_id: Nullable,
  blocked_by: Type.Array(Text),
  parent_id: Nullable,
  result: Nullable,
  user_id: Text,
  user_role: Text,
  channel: Text,
  chat_id: Text,
  session_key: Nullable,
  progress_percent: Type.Union([Type.Integer(), Type.Null()]),
  progress_step: Nullable,
  comment_count: Type.Integer(),
  attachment_count: Type.Integer(),
  locked_at: Nullable,
  lock_expires_at: Nullable,
  runs_as: Nullable,
  runs_as_role: Nullable,
  dispatches: Type.Integer(),
  run_id: Nullable,
  work_session_key: Nullable,
  hops: Type.Integer(),
  announce_run_id: Nullable,
  followup_message: Nullable,
  followup_asked_at: Nullable,
  followup_at: Nullable,
  followup_count: Type.Integer(),
  followup_max: Type.Integer(),
  escalation_run_id: Nullable,
  created_at: Text,
  updated_at: Text,
})
export type TaskRow = Static<typeof TaskRow>
export type Status = TaskRow["status"]
export type NewTask = Pick<
  TaskRow,
  | "id"
  | "team_id"
  | "subject"
  | "description"
  | "status"
  | "task_type"
  | "priority"
  | "created_by_agent_id"
  | "blocked_by"
  | "parent_id"
  | "user_id"
  | "user_role"
  | "channel"
  | "chat_id"
  | "session_key"
  | "hops"
  | "announce_run_id"
>

const columns = sql.fragment`id, tenant_id, team_id, task_number, subject, description, status, task_type, priority, owner_agent_id, created_by_agent_id, blocked_by::text[] AS blocked_by,
  parent_id, result, user_id, user_role, channel, chat_id, session_key, progress_percent, progress_step, comment_count, attachment_count, locked_at, lock_expires_at, runs_as, runs_as_role,
  dispatches, run_id, work_session_key, hops, announce_run_id, followup_message, followup_asked_at, followup_at, followup_count, followup_max, escalation_run_id, created_at, updated_at`
const Row = row(TaskRow)
const Nothing = row(Type.Object({}))
const most = 200
export const ended: readonly Status[] = ["completed", "cancelled", "failed"]

export interface TaskFilter {
  /** Empty: in every state. */
  statuses: readonly string[]
  /** Null, here and below: any. */
  channel: string | null
  chatId: string | null
}

/** Newest first. */
export function listTasks(db: Queries, teamId: string, { statuses, channel, chatId }: TaskFilter) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM teams.tasks
    WHERE team_id = ${teamId} AND (${statuses.length === 0} OR status = ANY(${sql.array([...statuses], "text")}))
      AND (${channel}::text IS NULL OR channel = ${channel}) AND (${chatId}::text IS NULL OR chat_id = ${chatId})
    ORDER BY created_at DESC, id DESC LIMIT ${most}`)
}

/** By UUID, or by number with or without a `#`. */
export async function findTask(db: Queries, teamId: string, ref: string): Promise<TaskRow | null> {
  if (isUuid(ref)) return db.maybeOne(sql.type(Row)`SELECT ${columns} FROM teams.tasks WHERE team_id = ${teamId} AND id = ${ref}`)
  const [, digits] = /^#?(\d{1,9})$/.exec(ref) ?? []
  return digits === undefined ? null : db.maybeOne(sql.type(Row)`SELECT ${columns} FROM teams.tasks WHERE team_id = ${teamId} AND task_number = ${Number(digits)}`)
}

/** Tasks that a run works on, or of whose end or blocker it is told. */
export function taskOfRun(db: Queries, runId: string) {
  return db.maybeOne(sql.type(Row)`SELECT ${columns} FROM teams.tasks WHERE run_id = ${runId} OR announce_run_id = ${runId} OR escalation_run_id = ${runId}`)
}

/** Of whichever team; of one user, or of all when null. */
export function activeOfSession(db: Queries, sessionKey: string, userId: string | null) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM teams.tasks
    WHERE (session_key = ${sessionKey} OR work_session_key = ${sessionKey}) AND status NOT IN ('completed', 'cancelled', 'failed') AND (${userId}::text IS NULL OR user_id = ${userId})
    ORDER BY created_at, id LIMIT ${most}`)
}

/** Null when the team has `maxTasks`. The team must be locked. */
export function insertTask(db: Queries, task: NewTask, maxTasks: number) {
  return db.maybeOne(sql.type(Row)`
    WITH numbered AS (
      UPDATE teams.teams SET last_number = last_number + 1 WHERE id = ${task.team_id} AND (SELECT count(*) FROM teams.tasks WHERE team_id = ${task.team_id}) < ${maxTasks} RETURNING last_number
    )
    INSERT INTO teams.tasks (id, team_id, task_number, subject, description, status, task_type, priority, created_by_agent_id, blocked_by, parent_id, user_id, user_role, channel, chat_id,
      session_key, hops, announce_run_id)
    SELECT ${task.id}::uuid, ${task.team_id}::uuid, last_number, ${task.subject}, ${task.description}, ${task.status}, ${task.task_type}, ${task.priority}::integer,
      ${task.created_by_agent_id}::uuid, ${sql.array([...task.blocked_by], "uuid")}, ${task.parent_id}::uuid, ${task.user_id}, ${task.user_role}, ${task.channel}, ${task.chat_id}, ${task.session_key},
      ${task.hops}::integer, ${task.announce_run_id}::uuid
    FROM numbered RETURNING ${columns}`)
}

/** All that changes of a task but its counts. The team must be locked. */
export function updateTask(db: Queries, task: TaskRow) {
  return db.one(sql.type(Row)`
    UPDATE teams.tasks SET status = ${task.status}, owner_agent_id = ${task.owner_agent_id}, blocked_by = ${sql.array([...task.blocked_by], "uuid")}, result = ${task.result},
      progress_percent = ${task.progress_percent}, progress_step = ${task.progress_step}, locked_at = ${task.locked_at}, lock_expires_at = ${task.lock_expires_at},
      runs_as = ${task.runs_as}, runs_as_role = ${task.runs_as_role}, dispatches = ${task.dispatches}, run_id = ${task.run_id}, work_session_key = ${task.work_session_key},
      announce_run_id = ${task.announce_run_id}, followup_message = ${task.followup_message}, followup_asked_at = ${task.followup_asked_at}, followup_at = ${task.followup_at},
      followup_count = ${task.followup_count}, followup_max = ${task.followup_max}, escalation_run_id = ${task.escalation_run_id}, updated_at = now()
    WHERE id = ${task.id} RETURNING ${columns}`)
}

export async function deleteTask(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM teams.tasks WHERE id = ${id}`)
}

/** Blocked tasks, this one among their blockers, that wait for no other any more. */
export function freedBy(db: Queries, blockerId: string) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM teams.tasks t
    WHERE team_id = (SELECT team_id FROM teams.tasks WHERE id = ${blockerId}) AND status = 'blocked' AND ${blockerId} = ANY(blocked_by)
      AND NOT EXISTS (SELECT FROM teams.tasks b WHERE b.id = ANY(t.blocked_by) AND b.status NOT IN ('completed', 'cancelled'))
    ORDER BY priority DESC, task_number LIMIT 1000`)
}

/** Those of these that are not done yet: what waits for them is blocked. */
export function openAmong(db: Queries, teamId: string, ids: readonly string[]) {
  return db.any(sql.type(row(Type.Object({ id: Text })))`
    SELECT id FROM teams.tasks WHERE team_id = ${teamId} AND id = ANY(${sql.array([...ids], "uuid")}) AND status NOT IN ('completed', 'cancelled') LIMIT ${most}`)
}

/** True when one of `blockers` waits for the task, over however many others. */
export async function closesCircle(db: Queries, taskId: string, blockers: readonly string[]): Promise<boolean> {
  const { circle } = await db.one(sql.type(row(Type.Object({ circle: Type.Boolean() })))`
    WITH RECURSIVE before AS (
      SELECT unnest(${sql.array([...blockers], "uuid")}) AS id
      UNION SELECT unnest(t.blocked_by) FROM teams.tasks t JOIN before ON before.id = t.id
    )
    SELECT EXISTS (SELECT FROM before WHERE id = ${taskId}) AS circle`)
  return circle
}

/** Results of the tasks before it, for the agent that goes on with them. */
export function resultsOf(db: Queries, ids: readonly string[]) {
  return db.any(sql.type(row(Type.Object({ task_number: Type.Integer(), subject: Text, result: Text })))`
    SELECT task_number, subject, left(result, 20000) AS result FROM teams.tasks WHERE id = ANY(${sql.array([...ids], "uuid")}) AND status = 'completed' AND result IS NOT NULL
    ORDER BY task_number LIMIT 50`)
}

/** In progress for longer than anybody may be. */
export function overdue(db: Queries) {
  return db.any(sql.type(Row)`SELECT ${columns} FROM teams.tasks WHERE status = 'in_progress' AND lock_expires_at < now() ORDER BY lock_expires_at LIMIT ${most}`)
}

export function underWay(db: Queries, teamId: string, agentId: string | null) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM teams.tasks WHERE team_id = ${teamId} AND (${agentId}::uuid IS NULL OR owner_agent_id = ${agentId}) AND status IN ('in_progress', 'blocked', 'pending')
      AND owner_agent_id IS NOT NULL LIMIT 10000`)
}

/** Ended or blocked a while ago, and the agent concerned has not been told: its gateway stopped, or its session was full. */
export function unannounced(db: Queries) {
  return db.any(sql.type(Row)`
    SELECT ${columns} FROM teams.tasks
    WHERE ((announce_run_id IS NOT NULL AND announced_at IS NULL AND status IN ('completed', 'failed')) OR (escalation_run_id IS NOT NULL AND escalated_at IS NULL))
      AND updated_at BETWEEN now() - interval '1 day' AND now() - interval '5 seconds'
    ORDER BY updated_at LIMIT ${most}`)
}

export async function markAnnounced(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`UPDATE teams.tasks SET announced_at = now() WHERE id = ${id}`)
}
export async function markEscalated(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`UPDATE teams.tasks SET escalated_at = now() WHERE id = ${id}`)
}

/** Questions whose next reminder is due. */
export function dueFollowups(db: Queries) {
  return db.any(sql.type(Row)`SELECT ${columns} FROM teams.tasks WHERE followup_at < now() ORDER BY followup_at LIMIT ${most}`)
}

/** Where tasks come from, and whose they are. */
export function scopesOf(db: Queries, teamId: string) {
  return db.any(sql.type(row(Type.Object({ channel: Text, chat_id: Text })))`
    SELECT DISTINCT channel, chat_id FROM teams.tasks WHERE team_id = ${teamId} ORDER BY channel, chat_id LIMIT ${most}`)
}

export function usersOf(db: Queries, teamId: string) {
  return db.any(sql.type(row(Type.Object({ user_id: Text })))`SELECT DISTINCT user_id FROM teams.tasks WHERE team_id = ${teamId} ORDER BY user_id LIMIT 100`)
}
