import { type AgentFile, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Text = Type.String()
const File = row(Type.Object({ name: Type.Unsafe<AgentFile["name"]>(Text), content: Text }))
const Listed = row(Type.Object({ name: Text, size: Type.Integer(), updated_at: Text }))
const Nothing = row(Type.Object({}))

/** Files of the agent itself; there are no more than there are names. */
export function filesOf(db: Queries, agentId: string) {
  return db.any(sql.type(File)`SELECT file_name AS name, content FROM agent_files.files WHERE agent_id = ${agentId} ORDER BY file_name LIMIT 100`)
}

/** Sizes in bytes. */
export function listFiles(db: Queries, agentId: string) {
  return db.any(
    sql.type(Listed)`SELECT file_name AS name, octet_length(content) AS size, updated_at FROM agent_files.files WHERE agent_id = ${agentId} ORDER BY file_name LIMIT 100`,
  )
}

export async function findFile(db: Queries, agentId: string, name: string): Promise<string | null> {
  return (await db.maybeOne(sql.type(File)`SELECT file_name AS name, content FROM agent_files.files WHERE agent_id = ${agentId} AND file_name = ${name}`))?.content ?? null
}

export async function writeFile(db: Queries, agentId: string, { name, content }: AgentFile): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO agent_files.files (agent_id, file_name, content) VALUES (${agentId}, ${name}, ${content})
    ON CONFLICT (tenant_id, agent_id, file_name) DO UPDATE SET content = excluded.content, updated_at = now()`)
}

/** A file of the agent over the copies of all who have one, or may have one. Returns how many. */
export async function copyToInstances(db: Queries, agentId: string, { name, content }: AgentFile): Promise<number> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    INSERT INTO agent_files.instance_files (agent_id, user_id, file_name, content)
    SELECT agent_id, user_id, ${name}, ${content} FROM agent_files.instances WHERE agent_id = ${agentId}
    ON CONFLICT (tenant_id, agent_id, user_id, file_name) DO UPDATE SET content = excluded.content, updated_at = now()`)
  return rowCount
}

export async function deleteAllOf(db: Queries, agentId: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM agent_files.instances WHERE agent_id = ${agentId}`)
  await db.query(sql.type(Nothing)`DELETE FROM agent_files.files WHERE agent_id = ${agentId}`)
}
