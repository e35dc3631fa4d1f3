import { randomUUIDv7 } from "node:crypto"
import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { type Command, canonical } from "./command.ts"
import type { RequestRow } from "./requests.ts"

const Text = Type.String()
export const RuleRow = Type.Object({
  id: Text,
  agent_id: Text,
  agent_key: Text,
  tool: Text,
  user_id: Type.Union([Text, Type.Null()]),
  arguments: Text,
  exact: Type.Boolean(),
  created_by: Text,
  created_at: Text,
})
export type RuleRow = Static<typeof RuleRow>

/** Rules of one tool of one agent that name some of its arguments. */
const mostPatterns = 500
const columns = sql.fragment`id, agent_id, agent_key, tool, user_id, arguments, exact, created_by, created_at`
const Count = Type.Object({ count: Type.Integer() })

/** Newest first; null: everybody's. */
export async function listRules(db: Queries, userId: string | null, limit: number, offset: number): Promise<{ rows: RuleRow[]; total: number }> {
  const [rows, { count }] = await Promise.all([
    db.any(sql.type(row(RuleRow))`
      SELECT ${columns} FROM approvals.rules WHERE ${userId}::text IS NULL OR user_id = ${userId} ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Count))`SELECT count(*) AS count FROM approvals.rules WHERE ${userId}::text IS NULL OR user_id = ${userId}`),
  ])
  return { rows, total: count }
}

/** True when a rule has approved the call beforehand. Literals only: an argument is the same, or it is not. */
export async function isApproved(db: Queries, agentId: string, userId: string, tool: string, args: Readonly<Record<string, unknown>>, command: Command): Promise<boolean> {
  const rules = await db.any(sql.type(row(RuleRow))`
    SELECT ${columns} FROM approvals.rules
    WHERE agent_id = ${agentId} AND tool = ${tool} AND (user_id IS NULL OR user_id = ${userId}) AND (NOT exact OR arguments = ${command.arguments})
    ORDER BY exact DESC, created_at LIMIT ${mostPatterns}`)
  return rules.some((rule) => rule.exact || fits(rule, args))
}

function fits(rule: RuleRow, args: Readonly<Record<string, unknown>>): boolean {
  const wanted = JSON.parse(rule.arguments) as Record<string, unknown>
  return Object.keys(wanted).every((name) => Object.hasOwn(args, name) && canonical(args[name]) === canonical(wanted[name]))
}

/** `same`: names of the arguments that count; undefined: all, and no others. Null when the rule is there already. */
export function insertRule(db: Queries, request: RequestRow & { agent_id: string }, who: { userId: string | null; by: string }, same: readonly string[] | undefined) {
  const args = JSON.parse(request.arguments) as Record<string, unknown>
  const kept = same === undefined ? request.arguments : canonical(Object.fromEntries(same.map((name) => [name, args[name]])))
  return db.maybeOne(sql.type(row(RuleRow))`
    INSERT INTO approvals.rules (id, agent_id, agent_key, tool, user_id, arguments, exact, created_by)
    VALUES (${randomUUIDv7()}, ${request.agent_id}, ${request.agent_key}, ${request.tool}, ${who.userId}, ${kept}, ${same === undefined}, ${who.by})
    ON CONFLICT DO NOTHING RETURNING ${columns}`)
}

/** Null when there is none of those that the user may end; null as the user: any. */
export function deleteRule(db: Queries, id: string, userId: string | null) {
  return db.maybeOne(sql.type(row(RuleRow))`DELETE FROM approvals.rules WHERE id = ${id} AND (${userId}::text IS NULL OR user_id = ${userId}) RETURNING ${columns}`)
}

export async function deleteRulesOfAgent(db: Queries, agentId: string): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`DELETE FROM approvals.rules WHERE agent_id = ${agentId}`)
}
