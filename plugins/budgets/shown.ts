import { type AgentProfile, Agents, type Caller, type Host } from "@plugboard/sdk"
import { type Applying, agentBudget } from "./applying.ts"
import type { manifest } from "./manifest.ts"
import { spanOf } from "./period.ts"
import { type BudgetRow, listBudgets, spenders, standings } from "./store.ts"
import { amounts, type Shown, type WireBudget, wireBudget } from "./wire.ts"

type Entry = { budget: Shown; agent?: AgentProfile; ofAgent?: boolean }

/** Budgets as they are shown: with what is spent of them in the period under way. */
export function createShown(host: Host<typeof manifest>) {
  async function withStandings(caller: Caller, entries: readonly Entry[]): Promise<WireBudget[]> {
    const spans = entries.map(({ budget }) => spanOf(budget.period, budget.time_zone))
    const asked = entries.flatMap(({ budget }, at) =>
      budget.subject === "*" ? [] : [{ budget: budget.id, subject: budget.subject, starts: (spans[at] as { starts: string }).starts }],
    )
    const rows = asked.length === 0 ? [] : await standings(host.db.for(caller), asked)
    const found = new Map(rows.map((row) => [`${row.budget_id}\n${row.subject}`, row]))
    return entries.map(({ budget, agent, ofAgent }, at) => {
      const standing = budget.subject === "*" ? null : (found.get(`${budget.id}\n${budget.subject}`) ?? { spent: 0, reserved: 0 })
      return wireBudget(budget, spans[at] as ReturnType<typeof spanOf>, standing, { agentKey: agent?.key, ofAgent })
    })
  }

  async function entriesOf(caller: Caller): Promise<Entry[]> {
    const [budgets, agents] = await Promise.all([listBudgets(host.db.for(caller)), host.use(Agents).list(caller)])
    const byId = new Map(agents.map((agent) => [agent.id, agent]))
    const own = agents.flatMap((agent): Entry[] => {
      const budget = agentBudget(agent)
      return budget ? [{ budget: { ...budget, subject: agent.id }, agent, ofAgent: true }] : []
    })
    return [...budgets.map((budget): Entry => ({ budget, agent: budget.scope === "agent" ? byId.get(budget.subject) : undefined })), ...own]
  }

  return {
    /** The tenant's budgets, oldest first, then those of agents. */
    async list(caller: Caller, page: { limit: number; offset: number }) {
      const entries = await entriesOf(caller)
      return { budgets: await withStandings(caller, entries.slice(page.offset, page.offset + page.limit)), total: entries.length, ...page }
    },
    async one(caller: Caller, budget: BudgetRow): Promise<WireBudget> {
      const agent = budget.scope === "agent" && budget.subject !== "*" ? await host.use(Agents).resolve(caller, budget.subject) : null
      const [shown] = await withStandings(caller, [{ budget, ...(agent && { agent }) }])
      return shown as WireBudget
    },
    /** Those that hold for whoever asks, without an agent. */
    async mine(caller: Caller, applying: readonly Applying[]) {
      const rows =
        applying.length === 0
          ? []
          : await standings(
              host.db.for(caller),
              applying.map(({ id, subject, starts }) => ({ budget: id, subject, starts })),
            )
      return applying.map(({ id, name, scope, subject, period, starts, ends, unit, most, enforcement }) => ({
        id,
        name,
        scope,
        period,
        period_start: starts,
        period_end: ends,
        ...(unit === "usd" ? { limit_usd: most / 1e9 } : { limit_tokens: most }),
        ...amounts(unit, most, rows.find((row) => row.budget_id === id && row.subject === subject) ?? { spent: 0, reserved: 0 }),
        enforcement,
      }))
    },
    /** Whom a budget counts, and what each has spent in the period under way; the most comes first. */
    async spending(caller: Caller, budget: BudgetRow, page: { limit: number; offset: number }) {
      const { starts, ends } = spanOf(budget.period, budget.time_zone)
      const { rows, total } = await spenders(host.db.for(caller), budget.id, starts, page.limit, page.offset)
      return { period_start: starts, period_end: ends, spending: rows.map((row) => ({ subject: row.subject, ...amounts(budget.unit, budget.most, row) })), total, ...page }
    },
  }
}
