import { randomUUIDv7 } from "node:crypto"
import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const FileRow = Type.Object({ chat_id: Text, name: Text, size: Type.Integer(), updated_at: Text })
export type FileRow = Static<typeof FileRow>
const AttachmentRow = Type.Object({
  id: Text,
  team_id: Text,
  task_id: Text,
  chat_id: Text,
  path: Text,
  file_size: Type.Integer(),
  created_by_agent_id: Type.Union([Text, Type.Null()]),
  created_at: Text,
})
export type AttachmentRow = Static<typeof AttachmentRow>

const Nothing = row(Type.Object({}))
const columns = sql.fragment`chat_id, name, size, updated_at`
const most = 200

/** By name; of one chat, or of all when null. */
export function listFiles(db: Queries, teamId: string, chatId: string | null) {
  return db.any(sql.type(row(FileRow))`
    SELECT ${columns} FROM teams.files WHERE team_id = ${teamId} AND (${chatId}::text IS NULL OR chat_id = ${chatId}) ORDER BY name, chat_id LIMIT ${most}`)
}

export function readFile(db: Queries, teamId: string, chatId: string, name: string, maxChars: number) {
  return db.maybeOne(sql.type(row(Type.Object({ ...FileRow.properties, content: Text })))`
    SELECT ${columns}, left(content, ${maxChars}) AS content FROM teams.files WHERE team_id = ${teamId} AND chat_id = ${chatId} AND name = ${name}`)
}

/** How many the team has, and their bytes, without the one that is about to be written. */
export function spaceOf(db: Queries, teamId: string, chatId: string, name: string) {
  return db.one(sql.type(row(Type.Object({ files: Type.Integer(), bytes: Type.Integer() })))`
    SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS bytes FROM teams.files WHERE team_id = ${teamId} AND NOT (chat_id = ${chatId} AND name = ${name})`)
}

export async function writeFile(db: Queries, teamId: string, chatId: string, name: string, content: string, size: number): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO teams.files (team_id, chat_id, name, content, size) VALUES (${teamId}, ${chatId}, ${name}, ${content}, ${size})
    ON CONFLICT (team_id, chat_id, name) DO UPDATE SET content = excluded.content, size = excluded.size, updated_at = now()`)
}

/** With what says that it belongs to a task. */
export async function deleteFile(db: Queries, teamId: string, chatId: string, name: string): Promise<boolean> {
  await db.query(sql.type(Nothing)`
    WITH gone AS (DELETE FROM teams.attachments WHERE team_id = ${teamId} AND chat_id = ${chatId} AND path = ${name} RETURNING task_id)
    UPDATE teams.tasks SET attachment_count = attachment_count - 1 WHERE id IN (SELECT task_id FROM gone)`)
  return (await db.query(sql.type(Nothing)`DELETE FROM teams.files WHERE team_id = ${teamId} AND chat_id = ${chatId} AND name = ${name}`)).rowCount > 0
}

/** False when it belongs to the task already, or is not there. */
export async function attachFile(db: Queries, task: { id: string; team_id: string }, chatId: string, name: string, agentId: string): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    WITH added AS (
      INSERT INTO teams.attachments (id, team_id, task_id, chat_id, path, file_size, created_by_agent_id)
      SELECT ${randomUUIDv7()}::uuid, team_id, ${task.id}::uuid, chat_id, name, size, ${agentId}::uuid FROM teams.files
      WHERE team_id = ${task.team_id} AND chat_id = ${chatId} AND name = ${name} ON CONFLICT DO NOTHING RETURNING task_id
    )
    UPDATE teams.tasks SET attachment_count = attachment_count + 1, updated_at = now() WHERE id IN (SELECT task_id FROM added)`)
  return rowCount > 0
}

export function listAttachments(db: Queries, taskId: string) {
  return db.any(sql.type(row(AttachmentRow))`
    SELECT id, team_id, task_id, chat_id, path, file_size, created_by_agent_id, created_at FROM teams.attachments WHERE task_id = ${taskId} ORDER BY created_at, id LIMIT ${most}`)
}
