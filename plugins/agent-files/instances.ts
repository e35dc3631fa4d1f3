import { type AgentFile, jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
const Instance = row(Type.Object({ user_id: Text, first_seen_at: Nullable, last_seen_at: Nullable, file_count: Type.Integer(), metadata: Type.Record(Text, Text) }))
const File = row(Type.Object({ name: Type.Unsafe<AgentFile["name"]>(Text), content: Text }))
const Seen = row(Type.Object({ fresh: Type.Boolean() }))
const Nothing = row(Type.Object({}))

/** By user id. */
export function listInstances(db: Queries, agentId: string, limit: number, offset: number) {
  return db.any(sql.type(Instance)`
    SELECT i.user_id, i.first_seen_at, i.last_seen_at, i.metadata,
      (SELECT count(*)::int FROM agent_files.instance_files f WHERE f.agent_id = i.agent_id AND f.user_id = i.user_id) AS file_count
    FROM agent_files.instances i WHERE i.agent_id = ${agentId} ORDER BY i.user_id LIMIT ${limit} OFFSET ${offset}`)
}

export function filesOfInstance(db: Queries, agentId: string, userId: string) {
  return db.any(sql.type(File)`
    SELECT file_name AS name, content FROM agent_files.instance_files WHERE agent_id = ${agentId} AND user_id = ${userId} ORDER BY file_name LIMIT 100`)
}

/**
 * The user is at the agent. True when it was the first time.
 * With `copied`, files of the agent become the user's own then: what is changed in them later does not change his.
 */
export async function seeUser(db: Queries, agentId: string, userId: string, copied: boolean): Promise<boolean> {
  const { fresh } = await db.one(sql.type(Seen)`
    WITH before AS (SELECT first_seen_at FROM agent_files.instances WHERE agent_id = ${agentId} AND user_id = ${userId})
    INSERT INTO agent_files.instances AS i (agent_id, user_id, first_seen_at, last_seen_at) VALUES (${agentId}, ${userId}, now(), now())
    ON CONFLICT (tenant_id, agent_id, user_id) DO UPDATE SET last_seen_at = now(), first_seen_at = coalesce(i.first_seen_at, now())
    RETURNING NOT EXISTS (SELECT FROM before WHERE first_seen_at IS NOT NULL) AS fresh`)
  if (fresh && copied) {
    await db.query(sql.type(Nothing)`
      INSERT INTO agent_files.instance_files (agent_id, user_id, file_name, content)
      SELECT agent_id, ${userId}, file_name, content FROM agent_files.files WHERE agent_id = ${agentId} AND file_name <> 'HEARTBEAT.md'
      ON CONFLICT DO NOTHING`)
  }
  return fresh
}

async function ensureInstance(db: Queries, agentId: string, userId: string): Promise<void> {
  await db.query(sql.type(Nothing)`INSERT INTO agent_files.instances (agent_id, user_id) VALUES (${agentId}, ${userId}) ON CONFLICT DO NOTHING`)
}

export async function writeInstanceFile(db: Queries, agentId: string, userId: string, { name, content }: AgentFile): Promise<void> {
  await ensureInstance(db, agentId, userId)
  await db.query(sql.type(Nothing)`
    INSERT INTO agent_files.instance_files (agent_id, user_id, file_name, content) VALUES (${agentId}, ${userId}, ${name}, ${content})
    ON CONFLICT (tenant_id, agent_id, user_id, file_name) DO UPDATE SET content = excluded.content, updated_at = now()`)
}

/** False when there would be more than `most` entries. */
export async function mergeMetadata(db: Queries, agentId: string, userId: string, metadata: Readonly<Record<string, string>>, most: number): Promise<boolean> {
  await ensureInstance(db, agentId, userId)
  const { rowCount } = await db.query(sql.type(Nothing)`
    UPDATE agent_files.instances SET metadata = metadata || ${jsonText(metadata)}::jsonb
    WHERE agent_id = ${agentId} AND user_id = ${userId} AND (SELECT count(*) FROM jsonb_object_keys(metadata || ${jsonText(metadata)}::jsonb)) <= ${most}`)
  return rowCount > 0
}
