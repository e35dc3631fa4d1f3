import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
export const AgentRow = Type.Object({
  id: Text,
  tenant_id: Text,
  agent_key: Text,
  display_name: Text,
  owner_id: Text,
  agent_type: Type.Enum(["open", "predefined"]),
  status: Type.Enum(["active", "inactive", "summoning", "summon_failed"]),
  is_default: Type.Boolean(),
  provider: Text,
  model: Text,
  system_prompt: Text,
  description: Text,
  frontmatter: Text,
  emoji: Text,
  avatar: Text,
  thinking_level: Text,
  workspace: Text,
  context_window: Type.Integer(),
  max_tool_iterations: Type.Integer(),
  max_tokens: Type.Integer(),
  skill_nudge_interval: Type.Integer(),
  self_evolve: Type.Boolean(),
  skill_evolve: Type.Boolean(),
  budget_monthly_cents: Type.Union([Type.Integer(), Type.Null()]),
  configs: Type.Record(Text, Type.Record(Text, Type.Unknown())),
  created_at: Text,
  updated_at: Text,
  /** Users whom it is shared with. */
  shared_with: Type.Array(Text),
})
export type AgentRow = Static<typeof AgentRow>
/** What can be written of a row. */
export type Written = Omit<AgentRow, "id" | "tenant_id" | "created_at" | "updated_at" | "shared_with">

const columns = sql.fragment`id, tenant_id, agent_key, display_name, owner_id, agent_type, status, is_default, provider, model, system_prompt, description, frontmatter, emoji, avatar,
  thinking_level, workspace, context_window, max_tool_iterations, max_tokens, skill_nudge_interval, self_evolve, skill_evolve, budget_monthly_cents, configs, created_at, updated_at,
  ARRAY(SELECT s.user_id FROM agents.shares s WHERE s.agent_id = a.id ORDER BY s.user_id LIMIT 1000) AS shared_with`
const Id = row(Type.Object({ id: Text }))
const Nothing = row(Type.Object({}))
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Newest first. `userId` null: all of the tenant; else those that this user may use. */
export function listAgents(db: Queries, userId: string | null, limit: number, offset: number) {
  return db.any(sql.type(row(AgentRow))`
    SELECT ${columns} FROM agents.agents a
    WHERE ${userId}::text IS NULL OR owner_id = ${userId} OR is_default OR EXISTS (SELECT FROM agents.shares s WHERE s.agent_id = a.id AND s.user_id = ${userId})
    ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
}

/** By UUID or key. */
export function findAgent(db: Queries, ref: string) {
  return uuid.test(ref)
    ? db.maybeOne(sql.type(row(AgentRow))`SELECT ${columns} FROM agents.agents a WHERE id = ${ref}`)
    : db.maybeOne(sql.type(row(AgentRow))`SELECT ${columns} FROM agents.agents a WHERE agent_key = ${ref}`)
}

/** The agent `default`, else the one marked so, else the oldest active one. */
export function findFallback(db: Queries) {
  return db.maybeOne(sql.type(row(AgentRow))`
    SELECT ${columns} FROM agents.agents a WHERE status = 'active' ORDER BY agent_key = 'default' DESC, is_default DESC, created_at, id LIMIT 1`)
}

/** Held until the transaction ends. */
export function lockAgent(db: Queries, id: string) {
  return db.maybeOne(sql.type(row(AgentRow))`SELECT ${columns} FROM agents.agents a WHERE id = ${id} FOR UPDATE OF a`)
}

export async function hasAnyAgent(db: Queries): Promise<boolean> {
  return (await db.maybeOne(sql.type(Id)`SELECT id FROM agents.agents LIMIT 1`)) !== null
}

/** Of the keys that are the base, or the base and a number: those that are taken. */
export async function takenKeys(db: Queries, base: string): Promise<Set<string>> {
  const rows = await db.any(
    sql.type(row(Type.Object({ agent_key: Text })))`SELECT agent_key FROM agents.agents WHERE agent_key = ${base} OR agent_key ~ ('^' || ${base}::text || '-[0-9]+$')`,
  )
  return new Set(rows.map(({ agent_key }) => agent_key))
}

/** Until the transaction ends nobody else takes this key: an update, unlike an insert, cannot step back from a conflict. */
export async function holdKey(db: Queries, key: string): Promise<void> {
  await db.query(sql.type(Nothing)`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('agents ' || ${key}::text, 0))`)
}

/** Null when the tenant has an agent of that key. */
export function insertAgent(db: Queries, id: string, agent: Written) {
  return db.maybeOne(sql.type(row(AgentRow))`
    INSERT INTO agents.agents AS a (id, agent_key, display_name, owner_id, agent_type, status, is_default, provider, model, system_prompt, description, frontmatter, emoji, avatar,
      thinking_level, workspace, context_window, max_tool_iterations, max_tokens, skill_nudge_interval, self_evolve, skill_evolve, budget_monthly_cents, configs)
    VALUES (${id}, ${agent.agent_key}, ${agent.display_name}, ${agent.owner_id}, ${agent.agent_type}, ${agent.status}, ${agent.is_default}, ${agent.provider}, ${agent.model},
      ${agent.system_prompt}, ${agent.description}, ${agent.frontmatter}, ${agent.emoji}, ${agent.avatar}, ${agent.thinking_level}, ${agent.workspace}, ${agent.context_window},
      ${agent.max_tool_iterations}, ${agent.max_tokens}, ${agent.skill_nudge_interval}, ${agent.self_evolve}, ${agent.skill_evolve}, ${agent.budget_monthly_cents},
      ${jsonText(agent.configs)}::jsonb)
    ON CONFLICT (tenant_id, agent_key) DO NOTHING RETURNING ${columns}`)
}

export function updateAgent(db: Queries, id: string, agent: Written) {
  return db.one(sql.type(row(AgentRow))`
    UPDATE agents.agents a SET agent_key = ${agent.agent_key}, display_name = ${agent.display_name}, owner_id = ${agent.owner_id}, agent_type = ${agent.agent_type}, status = ${agent.status},
      is_default = ${agent.is_default}, provider = ${agent.provider}, model = ${agent.model}, system_prompt = ${agent.system_prompt}, description = ${agent.description},
      frontmatter = ${agent.frontmatter}, emoji = ${agent.emoji}, avatar = ${agent.avatar}, thinking_level = ${agent.thinking_level}, workspace = ${agent.workspace},
      context_window = ${agent.context_window}, max_tool_iterations = ${agent.max_tool_iterations}, max_tokens = ${agent.max_tokens},
      skill_nudge_interval = ${agent.skill_nudge_interval}, self_evolve = ${agent.self_evolve}, skill_evolve = ${agent.skill_evolve},
      budget_monthly_cents = ${agent.budget_monthly_cents}, configs = ${jsonText(agent.configs)}::jsonb, updated_at = now()
    WHERE id = ${id} RETURNING ${columns}`)
}

/** What a summoning has made of it; an empty text leaves what is there. False when it is gone. */
export async function settleAgent(db: Queries, id: string, status: AgentRow["status"], displayName: string, frontmatter: string): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    UPDATE agents.agents SET status = ${status}, display_name = coalesce(nullif(${displayName}, ''), display_name), frontmatter = coalesce(nullif(${frontmatter}, ''), frontmatter),
      updated_at = now() WHERE id = ${id}`)
  return rowCount > 0
}

/** There is one default a tenant; making another unmakes it. */
export async function unmarkDefaults(db: Queries, except: string): Promise<void> {
  await db.query(sql.type(Nothing)`UPDATE agents.agents SET is_default = false, updated_at = now() WHERE is_default AND id <> ${except}`)
}

/** False when it is gone already. */
export async function deleteAgent(db: Queries, id: string): Promise<boolean> {
  return (await db.query(sql.type(Nothing)`DELETE FROM agents.agents WHERE id = ${id}`)).rowCount > 0
}

/** How many agents followed a provider to its new name, be it their own or one that they fall back to. */
export async function renameProvider(db: Queries, from: string, to: string): Promise<number> {
  const link = jsonText([{ provider: from }])
  const own = await db.query(sql.type(Nothing)`
    UPDATE agents.agents SET provider = CASE WHEN provider = ${from} THEN ${to} ELSE provider END, updated_at = now(),
      configs = CASE WHEN configs->'model_fallback'->'candidates' @> ${link}::jsonb THEN jsonb_set(configs, '{model_fallback,candidates}', (
        SELECT jsonb_agg(CASE WHEN c->>'provider' = ${from} THEN c || jsonb_build_object('provider', ${to}::text) ELSE c END ORDER BY place)
        FROM jsonb_array_elements(configs->'model_fallback'->'candidates') WITH ORDINALITY AS e(c, place))) ELSE configs END
    WHERE provider = ${from} OR configs->'model_fallback'->'candidates' @> ${link}::jsonb`)
  return own.rowCount
}
