import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { MemberRole, Settings } from "./forms.ts"

const Text = Type.String()
const TeamRow = Type.Object({
  id: Text,
  tenant_id: Text,
  name: Text,
  description: Text,
  lead_agent_id: Text,
  status: Type.Enum(["active", "archived"]),
  settings: Settings,
  created_by: Text,
  last_number: Type.Integer(),
  member_count: Type.Integer(),
  task_count: Type.Integer(),
  created_at: Text,
  updated_at: Text,
})
export type TeamRow = Static<typeof TeamRow>
export type TeamSettings = Static<typeof Settings>
const MemberRow = Type.Object({ team_id: Text, agent_id: Text, role: MemberRole, joined_at: Text })
export type MemberRow = Static<typeof MemberRow>
const Membership = Type.Object({ team_id: Text, role: MemberRole })
export type Membership = Static<typeof Membership>

const columns = sql.fragment`id, tenant_id, name, description, lead_agent_id, status, settings, created_by, last_number, created_at, updated_at,
  (SELECT count(*) FROM teams.members m WHERE m.team_id = t.id) AS member_count, (SELECT count(*) FROM teams.tasks k WHERE k.team_id = t.id) AS task_count`
const Nothing = row(Type.Object({}))
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
export const isUuid = (text: string) => uuid.test(text)
/** Teams and members that one answer holds; a tenant has no more teams. */
const most = 200

/** Newest first. */
export function listTeams(db: Queries) {
  return db.any(sql.type(row(TeamRow))`SELECT ${columns} FROM teams.teams t ORDER BY created_at DESC, id DESC LIMIT ${most}`)
}

export async function findTeam(db: Queries, id: string): Promise<TeamRow | null> {
  return isUuid(id) ? db.maybeOne(sql.type(row(TeamRow))`SELECT ${columns} FROM teams.teams t WHERE id = ${id}`) : null
}

/** Held until the transaction ends: whoever changes a team or a task of it comes after the one before. What others have written by then is seen by the next statement only. */
export async function lockTeam(db: Queries, id: string): Promise<TeamRow | null> {
  if (!isUuid(id)) return null
  await db.query(sql.type(Nothing)`SELECT FROM teams.teams WHERE id = ${id} FOR UPDATE`)
  return findTeam(db, id)
}

/** Null when the tenant has as many as it may. */
export async function insertTeam(
  db: Queries,
  team: Pick<TeamRow, "id" | "name" | "description" | "lead_agent_id" | "settings" | "created_by">,
  maxTeams: number,
): Promise<boolean> {
  await db.query(sql.type(Nothing)`SELECT FROM pg_advisory_xact_lock(hashtextextended('teams ' || kernel.bound_tenant(), 0))`)
  const { rowCount } = await db.query(sql.type(Nothing)`
    INSERT INTO teams.teams (id, name, description, lead_agent_id, settings, created_by)
    SELECT ${team.id}::uuid, ${team.name}, ${team.description}, ${team.lead_agent_id}::uuid, ${jsonText(team.settings)}::jsonb, ${team.created_by}
    WHERE (SELECT count(*) FROM teams.teams) < ${maxTeams}`)
  return rowCount > 0
}

export async function updateTeam(db: Queries, { id, name, description, settings, status }: TeamRow): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE teams.teams SET name = ${name}, description = ${description}, settings = ${jsonText(settings)}::jsonb, status = ${status}, updated_at = now() WHERE id = ${id}`)
}

export async function deleteTeam(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM teams.teams WHERE id = ${id}`)
}

/** The lead first, then as they came. */
export function listMembers(db: Queries, teamId: string) {
  return db.any(sql.type(row(MemberRow))`
    SELECT team_id, agent_id, role, joined_at FROM teams.members WHERE team_id = ${teamId} ORDER BY (role = 'lead') DESC, joined_at, agent_id LIMIT ${most}`)
}

export function membershipsOf(db: Queries, agentId: string) {
  return db.any(sql.type(row(Membership))`
    SELECT m.team_id, m.role FROM teams.members m JOIN teams.teams t ON t.id = m.team_id AND t.status = 'active' WHERE m.agent_id = ${agentId} ORDER BY m.joined_at, m.team_id LIMIT ${most}`)
}

/** False when it is one already. */
export async function insertMember(db: Queries, teamId: string, agentId: string, role: MemberRow["role"]): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`INSERT INTO teams.members (team_id, agent_id, role) VALUES (${teamId}, ${agentId}, ${role}) ON CONFLICT DO NOTHING`)
  return rowCount > 0
}

export async function deleteMember(db: Queries, teamId: string, agentId: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM teams.members WHERE team_id = ${teamId} AND agent_id = ${agentId}`)
}
