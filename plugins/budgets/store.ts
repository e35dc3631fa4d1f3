import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Whole = Type.Integer()
export const BudgetRow = Type.Object({
  id: Text,
  name: Text,
  scope: Type.Enum(["tenant", "agent", "user", "key"]),
  subject: Text,
  period: Type.Enum(["day", "month"]),
  time_zone: Text,
  unit: Type.Enum(["usd", "tokens"]),
  most: Whole,
  enforcement: Type.Enum(["hard", "soft"]),
  warn_percent: Whole,
  enabled: Type.Boolean(),
  created_by: Text,
  created_at: Text,
  updated_at: Text,
})
export type BudgetRow = Static<typeof BudgetRow>
export type Written = Omit<BudgetRow, "id" | "created_at" | "updated_at">
/** What can be changed of one: the rest says what it counts. */
export type Changed = Pick<BudgetRow, "name" | "most" | "enforcement" | "warn_percent" | "enabled">

/** So many a tenant may have: each call looks at all of them, in memory. */
export const mostBudgets = 500
const columns = sql.fragment`id, name, scope, subject, period, time_zone, unit, most, enforcement, warn_percent, enabled, created_by, created_at, updated_at`
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Oldest first. */
export function listBudgets(db: Queries) {
  return db.any(sql.type(row(BudgetRow))`SELECT ${columns} FROM budgets.budgets ORDER BY created_at, id LIMIT ${mostBudgets}`)
}

export async function countBudgets(db: Queries): Promise<number> {
  return (await db.one(sql.type(row(Type.Object({ count: Whole })))`SELECT count(*) AS count FROM budgets.budgets`)).count
}

export async function findBudget(db: Queries, id: string) {
  return uuid.test(id) ? db.maybeOne(sql.type(row(BudgetRow))`SELECT ${columns} FROM budgets.budgets WHERE id = ${id}`) : null
}

export function insertBudget(db: Queries, id: string, budget: Written) {
  return db.one(sql.type(row(BudgetRow))`
    INSERT INTO budgets.budgets (id, name, scope, subject, period, time_zone, unit, most, enforcement, warn_percent, enabled, created_by)
    VALUES (${id}, ${budget.name}, ${budget.scope}, ${budget.subject}, ${budget.period}, ${budget.time_zone}, ${budget.unit}, ${budget.most}, ${budget.enforcement},
      ${budget.warn_percent}, ${budget.enabled}, ${budget.created_by}) RETURNING ${columns}`)
}

/** Null when it is gone. */
export function updateBudget(db: Queries, id: string, budget: Changed) {
  return db.maybeOne(sql.type(row(BudgetRow))`
    UPDATE budgets.budgets SET name = ${budget.name}, most = ${budget.most}, enforcement = ${budget.enforcement}, warn_percent = ${budget.warn_percent}, enabled = ${budget.enabled},
      updated_at = now()
    WHERE id = ${id} RETURNING ${columns}`)
}

/** With what was spent of it. */
export async function deleteBudget(db: Queries, id: string): Promise<boolean> {
  const Nothing = row(Type.Object({}))
  const { rowCount } = await db.query(sql.type(Nothing)`DELETE FROM budgets.budgets WHERE id = ${id}`)
  await db.query(sql.type(Nothing)`DELETE FROM budgets.spending WHERE budget_id = ${id}`)
  return rowCount > 0
}

const Standing = Type.Object({ budget_id: Text, subject: Text, spent: Whole, reserved: Whole })
export type Standing = Static<typeof Standing>

/** How far periods are spent, by budget, subject and beginning; those of which nothing is spent are left out. */
export function standings(db: Queries, asked: readonly { budget: string; subject: string; starts: string }[]) {
  return db.any(sql.type(row(Standing))`
    SELECT s.budget_id, s.subject, s.spent, s.reserved FROM jsonb_to_recordset(${jsonText(asked)}::jsonb) AS a(budget uuid, subject text, starts timestamptz)
    JOIN budgets.spending s ON s.budget_id = a.budget AND s.subject = a.subject AND s.period_start = a.starts LIMIT ${asked.length}`)
}

/** Everybody whom one budget counts in a period; those who have spent the most come first. */
export async function spenders(db: Queries, budget: string, starts: string, limit: number, offset: number) {
  const [rows, { count }] = await Promise.all([
    db.any(sql.type(row(Standing))`
      SELECT budget_id, subject, spent, reserved FROM budgets.spending WHERE budget_id = ${budget} AND period_start = ${starts}::timestamptz
      ORDER BY spent DESC, subject LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ count: Whole })))`SELECT count(*) AS count FROM budgets.spending WHERE budget_id = ${budget} AND period_start = ${starts}::timestamptz`),
  ])
  return { rows, total: count }
}

/** Periods that ended so long ago that nobody asks. */
export async function pruneSpending(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`DELETE FROM budgets.spending WHERE period_end < now() - make_interval(days => ${keepDays})`)
}
