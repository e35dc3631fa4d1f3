import { type ConfigType, configTypes, jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Row = Type.Object({
  id: Text,
  agent_id: Text,
  scope: Text,
  config_type: Type.Enum([...configTypes]),
  user_id: Text,
  permission: Type.Enum(["allow", "deny"]),
  granted_by: Text,
  metadata: Type.Union([Type.Record(Text, Type.Unknown()), Type.Null()]),
  created_at: Text,
  updated_at: Text,
})
export type PermissionRow = Static<typeof Row>
const Nothing = row(Type.Object({}))

/** Nobody has more: lists are whole. */
export const most = 1_000

/** Of one agent or all, about one part or any. */
export function listPermissions(db: Queries, agentId: string | null, type: ConfigType | null) {
  return db.any(sql.type(row(Row))`
    SELECT id, agent_id, scope, config_type, user_id, permission, granted_by, metadata, created_at, updated_at FROM config_permissions.permissions
    WHERE (${agentId}::uuid IS NULL OR agent_id = ${agentId}::uuid) AND (${type}::text IS NULL OR config_type = ${type}::text)
    ORDER BY created_at, id LIMIT ${most}`)
}

export type Rule = Pick<PermissionRow, "agent_id" | "scope" | "config_type" | "user_id">

export async function putPermission(db: Queries, id: string, rule: Omit<PermissionRow, "id" | "created_at" | "updated_at">): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO config_permissions.permissions (id, agent_id, scope, config_type, user_id, permission, granted_by, metadata)
    VALUES (${id}, ${rule.agent_id}, ${rule.scope}, ${rule.config_type}, ${rule.user_id}, ${rule.permission}, ${rule.granted_by}, ${rule.metadata && jsonText(rule.metadata)}::jsonb)
    ON CONFLICT (tenant_id, agent_id, scope, config_type, user_id) DO UPDATE SET
      permission = excluded.permission, granted_by = excluded.granted_by, metadata = excluded.metadata, updated_at = now()`)
}

/** False when it was not there. */
export async function deletePermission(db: Queries, rule: Rule): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    DELETE FROM config_permissions.permissions
    WHERE agent_id = ${rule.agent_id} AND scope = ${rule.scope} AND config_type = ${rule.config_type} AND user_id = ${rule.user_id}`)
  return rowCount > 0
}

export async function deleteOfAgent(db: Queries, agentId: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM config_permissions.permissions WHERE agent_id = ${agentId}`)
}

export async function countPermissions(db: Queries): Promise<number> {
  return (await db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`SELECT count(*)::int AS count FROM config_permissions.permissions`)).count
}

/** Grants of one tenant come one after the other, so that the limit holds. */
export async function holdPermissions(db: Queries, tenantId: string): Promise<void> {
  await db.query(sql.type(Nothing)`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('config-permissions ' || ${tenantId}::text, 0))`)
}
