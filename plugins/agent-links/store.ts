import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const LinkRow = Type.Object({
  id: Text,
  source_agent_id: Text,
  target_agent_id: Text,
  direction: Type.Enum(["outbound", "inbound", "bidirectional"]),
  description: Text,
  max_concurrent: Type.Integer(),
  settings: Type.Record(Text, Type.Unknown()),
  status: Type.Enum(["active", "disabled"]),
  team_id: Type.Union([Text, Type.Null()]),
  created_by: Text,
  created_at: Text,
  updated_at: Text,
})
export type LinkRow = Static<typeof LinkRow>
export type NewLink = Omit<LinkRow, "created_at" | "updated_at">
export type LinkChange = Partial<Pick<LinkRow, "direction" | "description" | "max_concurrent" | "settings" | "status">>

const columns = sql.fragment`id, source_agent_id, target_agent_id, direction, description, max_concurrent, settings, status, team_id, created_by, created_at, updated_at`
const Nothing = row(Type.Object({}))
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export interface LinkFilter {
  /** Links of this agent; null: of all. */
  agentId: string | null
  direction: "from" | "to" | "all"
  /** Only between these agents; null: between all. */
  among: readonly string[] | null
}

/** Newest first. */
export function listLinks(db: Queries, { agentId, direction, among }: LinkFilter, limit: number, offset: number) {
  const ids = among && sql.array([...among], "uuid")
  return db.any(sql.type(row(LinkRow))`
    SELECT ${columns} FROM agent_links.links
    WHERE (${agentId}::uuid IS NULL OR (${direction !== "to"} AND source_agent_id = ${agentId}) OR (${direction !== "from"} AND target_agent_id = ${agentId}))
      AND (${among === null} OR (source_agent_id = ANY(${ids}::uuid[]) AND target_agent_id = ANY(${ids}::uuid[])))
    ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
}

/** Active links by which an agent may hand work on: its own first, then those of others that lead from it. */
export function linksFrom(db: Queries, agentId: string) {
  return db.any(sql.type(row(LinkRow))`
    SELECT ${columns} FROM agent_links.links
    WHERE status = 'active' AND ((source_agent_id = ${agentId} AND direction <> 'inbound') OR (target_agent_id = ${agentId} AND direction <> 'outbound'))
    ORDER BY (source_agent_id = ${agentId}) DESC, created_at, id LIMIT 1000`)
}

/** Held until the transaction ends. */
export async function lockLink(db: Queries, id: string): Promise<LinkRow | null> {
  if (!uuid.test(id)) return null
  return db.maybeOne(sql.type(row(LinkRow))`SELECT ${columns} FROM agent_links.links WHERE id = ${id} FOR UPDATE`)
}

/** Null when the two are linked already. */
export function insertLink(db: Queries, link: NewLink) {
  return db.maybeOne(sql.type(row(LinkRow))`
    INSERT INTO agent_links.links (id, source_agent_id, target_agent_id, direction, description, max_concurrent, settings, status, team_id, created_by)
    VALUES (${link.id}, ${link.source_agent_id}, ${link.target_agent_id}, ${link.direction}, ${link.description}, ${link.max_concurrent}, ${jsonText(link.settings)}::jsonb,
      ${link.status}, ${link.team_id}::uuid, ${link.created_by})
    ON CONFLICT (tenant_id, source_agent_id, target_agent_id) DO NOTHING RETURNING ${columns}`)
}

export async function updateLink(db: Queries, { id, direction, description, max_concurrent, settings, status }: LinkRow): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE agent_links.links SET direction = ${direction}, description = ${description}, max_concurrent = ${max_concurrent}, settings = ${jsonText(settings)}::jsonb,
      status = ${status}, updated_at = now() WHERE id = ${id}`)
}

export async function deleteLink(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM agent_links.links WHERE id = ${id}`)
}

export async function deleteLinksOf(db: Queries, agentId: string): Promise<number> {
  return (await db.query(sql.type(Nothing)`DELETE FROM agent_links.links WHERE source_agent_id = ${agentId} OR target_agent_id = ${agentId}`)).rowCount
}

/** Links that a team has made: to one member, or all. */
export function linksOfTeam(db: Queries, teamId: string, memberId: string | null) {
  return db.any(sql.type(row(LinkRow))`
    SELECT ${columns} FROM agent_links.links WHERE team_id = ${teamId} AND (${memberId}::uuid IS NULL OR target_agent_id = ${memberId}) ORDER BY id LIMIT 1000 FOR UPDATE`)
}
