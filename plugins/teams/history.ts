import { randomUUIDv7 } from "node:crypto"
import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
const CommentRow = Type.Object({
  id: Text,
  task_id: Text,
  agent_id: Nullable,
  user_id: Nullable,
  content: Text,
  comment_type: Type.Enum(["note", "blocker"]),
  created_at: Text,
})
export type CommentRow = Static<typeof CommentRow>
const EventRow = Type.Object({
  id: Text,
  task_id: Text,
  event_type: Text,
  actor_type: Type.Enum(["agent", "human", "system"]),
  actor_id: Text,
  data: Type.Union([Type.Record(Text, Type.Unknown()), Type.Null()]),
  created_at: Text,
})
export type EventRow = Static<typeof EventRow>

const Nothing = row(Type.Object({}))
const eventColumns = sql.fragment`id, task_id, event_type, actor_type, actor_id, data, created_at`
const most = 200

export async function insertEvent(db: Queries, teamId: string, event: Omit<EventRow, "id" | "created_at">): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO teams.task_events (id, team_id, task_id, event_type, actor_type, actor_id, data)
    VALUES (${randomUUIDv7()}, ${teamId}, ${event.task_id}, ${event.event_type}, ${event.actor_type}, ${event.actor_id}, ${event.data && jsonText(event.data)}::jsonb)`)
}

/** Oldest first. */
export function eventsOfTask(db: Queries, taskId: string) {
  return db.any(sql.type(row(EventRow))`SELECT ${eventColumns} FROM teams.task_events WHERE task_id = ${taskId} ORDER BY created_at, id LIMIT ${most}`)
}

/** Newest first. */
export function eventsOfTeam(db: Queries, teamId: string, limit: number, offset: number) {
  return db.any(sql.type(row(EventRow))`SELECT ${eventColumns} FROM teams.task_events WHERE team_id = ${teamId} ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
}

export async function pruneEvents(db: Queries, keep: number): Promise<void> {
  await db.query(sql.type(Nothing)`
    DELETE FROM teams.task_events WHERE id IN (
      SELECT e.id FROM teams.teams t, LATERAL (SELECT id FROM teams.task_events WHERE team_id = t.id ORDER BY created_at DESC, id DESC OFFSET ${keep}) e)`)
}

export async function insertComment(db: Queries, comment: Omit<CommentRow, "id" | "created_at">): Promise<void> {
  await db.query(sql.type(Nothing)`
    WITH counted AS (UPDATE teams.tasks SET comment_count = comment_count + 1, updated_at = now() WHERE id = ${comment.task_id} RETURNING id)
    INSERT INTO teams.comments (id, task_id, agent_id, user_id, content, comment_type)
    SELECT ${randomUUIDv7()}::uuid, id, ${comment.agent_id}::uuid, ${comment.user_id}, ${comment.content}, ${comment.comment_type} FROM counted`)
}

/** The newest, oldest first. */
export async function listComments(db: Queries, taskId: string): Promise<CommentRow[]> {
  const newest = await db.any(sql.type(row(CommentRow))`
    SELECT id, task_id, agent_id, user_id, content, comment_type, created_at FROM teams.comments WHERE task_id = ${taskId} ORDER BY created_at DESC, id DESC LIMIT ${most}`)
  return newest.reverse()
}

export async function newestBlocker(db: Queries, taskId: string): Promise<string | undefined> {
  const blocker = await db.maybeOne(sql.type(row(Type.Object({ content: Text })))`
    SELECT content FROM teams.comments WHERE task_id = ${taskId} AND comment_type = 'blocker' ORDER BY created_at DESC, id DESC LIMIT 1`)
  return blocker?.content
}
