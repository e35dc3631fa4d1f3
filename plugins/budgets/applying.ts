import { type Caller, type Host, type SpendingAgent, usdOf } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type Span, spanOf } from "./period.ts"
import { type BudgetRow, listBudgets } from "./store.ts"

/** A budget that holds for a call, and whom of its scope it counts there. */
export interface Applying extends Span, Pick<BudgetRow, "id" | "scope" | "period" | "unit" | "most" | "enforcement" | "name"> {
  subject: string
  warnAt: number
}

/** Of the budget that stands in an agent: a month of the calendar, hard. Source: wire contract, http-core 3 and 5. */
const ofAgent = { scope: "agent", period: "month", time_zone: "UTC", unit: "usd", enforcement: "hard", warn_percent: 80, name: "" } as const
const nanoPerCent = 10_000_000

export function agentBudget(agent: SpendingAgent): Pick<BudgetRow, keyof typeof ofAgent | "id" | "most"> | undefined {
  return agent.budgetMonthlyCents ? { ...ofAgent, id: agent.id, most: agent.budgetMonthlyCents * nanoPerCent } : undefined
}

function applied(budget: Pick<BudgetRow, keyof typeof ofAgent | "id" | "most">, subject: string): Applying {
  const { id, scope, period, unit, most, enforcement, name } = budget
  return { id, scope, period, unit, most, enforcement, name, subject, warnAt: Math.ceil((most * budget.warn_percent) / 100), ...spanOf(period, budget.time_zone) }
}

/** Which budgets hold for a caller. Warm, it touches no database; a change counts on every node from the next call on. */
export function createApplying(host: Host<typeof manifest>) {
  const known = host.cache<readonly BudgetRow[]>({
    max: 5_000,
    ttlMs: 300_000,
    changedBy: ["budgets.changed"],
    load: async (caller) => (await listBudgets(host.db.for(caller))).filter(({ enabled }) => enabled),
  })

  return async function applying(caller: Caller, agent?: SpendingAgent): Promise<Applying[]> {
    const subjects = { tenant: "", agent: agent?.id, user: caller.userId, key: caller.keyId }
    const own = agent && agentBudget(agent)
    const rows = await known.get(caller, "")
    if (rows.length === 0 && !own) return []
    const found = rows.flatMap((budget) => {
      const subject = subjects[budget.scope]
      return subject !== undefined && (budget.subject === subject || budget.subject === "*") ? [applied(budget, subject)] : []
    })
    return own ? [...found, applied(own, own.id)] : found
  }
}

/** In words that fit into a header. */
export function nearness({ scope, period, most }: Applying, spent: number): string {
  return `${scope} ${period} ${most === 0 ? 100 : Math.floor((spent / most) * 100)}%`
}

/** An amount as people read it. */
export function amountOf(unit: BudgetRow["unit"], amount: number): string {
  return unit === "usd" ? `${usdOf(amount).toFixed(2)} USD` : `${amount} tokens`
}
