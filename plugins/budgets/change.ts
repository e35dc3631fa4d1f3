import { randomUUIDv7 } from "node:crypto"
import { Agents, type Caller, type Host, Keys, nanoUsdOf, type Tx } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { manifest } from "./manifest.ts"
import { isTimeZone } from "./period.ts"
import { type BudgetRow, countBudgets, deleteBudget, findBudget, insertBudget, mostBudgets, updateBudget } from "./store.ts"
import type { BudgetChange, NewBudget } from "./wire.ts"

const mostKeys = 1_000

/** Writes to budgets. What a budget counts stays as it was made: another period or another subject is another budget. */
export function createChanges(host: Host<typeof manifest>) {
  const told = (tx: Tx, action: string, { id, scope, subject, period, unit, most, enforcement, enabled }: BudgetRow) => {
    tx.audit({ action, entityType: "budget", entityId: id, details: { scope, subject, period, unit, limit: most, enforcement, enabled } })
    tx.publish("budgets.changed", {})
  }

  async function demand(caller: Caller, id: string): Promise<BudgetRow> {
    const budget = await findBudget(host.db.for(caller), id)
    if (!budget) throw host.fail("unknown_budget", { budget: id.slice(0, 100) })
    return budget
  }

  /** Exactly one of the two limits, in the unit that the budget has. */
  function limitIn({ limit_usd, limit_tokens }: Static<typeof BudgetChange>): Pick<BudgetRow, "unit" | "most"> | undefined {
    if (limit_usd !== undefined && limit_tokens !== undefined) throw host.fail("one_limit", {})
    if (limit_usd !== undefined) return { unit: "usd", most: nanoUsdOf(limit_usd) }
    return limit_tokens === undefined ? undefined : { unit: "tokens", most: limit_tokens }
  }

  async function subjectIn(caller: Caller, scope: BudgetRow["scope"], given: string): Promise<string> {
    if ((scope === "tenant") !== (given === "")) throw host.fail("bad_subject", { scope })
    if (given === "*" || scope === "tenant" || scope === "user") return given
    if (scope === "agent") {
      const agent = await host.use(Agents).resolve(caller, given)
      if (!agent) throw host.fail("unknown_subject", { scope, subject: given.slice(0, 100) })
      return agent.id
    }
    const keys = await host.use(Keys).list(caller, mostKeys, 0)
    if (!keys.some(({ id }) => id === given)) throw host.fail("unknown_subject", { scope, subject: given.slice(0, 100) })
    return given
  }

  return {
    demand,
    async create(caller: Caller, given: Static<typeof NewBudget>): Promise<BudgetRow> {
      const limit = limitIn(given)
      if (!limit) throw host.fail("one_limit", {})
      const { scope, period, time_zone: zone, name = "", enforcement = "hard", warn_percent = 80, enabled = true } = given
      const time_zone = zone || "UTC"
      if (!isTimeZone(time_zone)) throw host.fail("bad_time_zone", { zone: time_zone })
      const subject = await subjectIn(caller, scope, given.subject?.trim() ?? "")
      return host.db.for(caller).transaction(async (tx) => {
        if ((await countBudgets(tx)) >= mostBudgets) throw host.fail("too_many_budgets", { most: mostBudgets })
        const made = await insertBudget(tx, randomUUIDv7(), { ...limit, scope, subject, period, time_zone, name, enforcement, warn_percent, enabled, created_by: caller.userId })
        told(tx, "budget.created", made)
        return made
      })
    },
    async update(caller: Caller, id: string, change: Static<typeof BudgetChange>): Promise<BudgetRow> {
      const before = await demand(caller, id)
      const limit = limitIn(change)
      if (limit && limit.unit !== before.unit) throw host.fail("other_unit", { unit: before.unit })
      const { name = before.name, enforcement = before.enforcement, warn_percent = before.warn_percent, enabled = before.enabled } = change
      return host.db.for(caller).transaction(async (tx) => {
        const changed = await updateBudget(tx, id, { name, enforcement, warn_percent, enabled, most: limit?.most ?? before.most })
        if (!changed) throw host.fail("unknown_budget", { budget: id })
        told(tx, "budget.updated", changed)
        return changed
      })
    },
    async remove(caller: Caller, id: string): Promise<void> {
      const budget = await demand(caller, id)
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await deleteBudget(tx, id))) throw host.fail("unknown_budget", { budget: id })
        told(tx, "budget.deleted", budget)
      })
    },
  }
}
