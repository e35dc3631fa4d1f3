import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { type BudgetsService, type Caller, type Host, type Price, Prices, type SpendingAgent, type SpendingCall, type Spent } from "@plugboard/sdk"
import { type Applying, amountOf, createApplying, nearness } from "./applying.ts"
import type { Hold, Ledger } from "./ledger.ts"
import type { manifest } from "./manifest.ts"

/** A call under way that has something set aside. */
interface Open {
  budgets: readonly Applying[]
  price: Price | null
  outputTokens: number
}

/** How long to wait for calls under way, which may cost less than they have set aside, in ms. */
const soonMs = 1_000
const againMs = 1_000

/** Sets aside before a model is asked, and settles when it has answered. */
export function createGuard(host: Host<typeof manifest>, ledger: Ledger, stopping: AbortSignal) {
  const applying = createApplying(host)
  const open = new Map<string, Open>()
  /** Ended, and not in the books yet. */
  let settling = 0
  let isAsked = false

  async function priceOf(caller: Caller, budgets: readonly Applying[], { provider, model }: SpendingCall): Promise<Price | null> {
    if (budgets.every(({ unit }) => unit === "tokens")) return null
    const price = host.has(Prices) ? await host.use(Prices).of(caller, provider, model) : null
    if (price === null && host.config.unpricedModels === "refuse" && budgets.some(({ unit, enforcement }) => unit === "usd" && enforcement === "hard"))
      throw host.fail("no_price", { model: `${provider}/${model}` })
    return price
  }

  async function setAside(caller: Caller, id: string, { budgets, price }: Open, promptTokens: number, outputTokens: number): Promise<string[]> {
    const nano = price === null ? 0 : mostCost(price, promptTokens, outputTokens)
    const answer = await ledger.reserve(caller, { id, holds: budgets.map((budget) => holdOf(budget, budget.unit === "usd" ? nano : promptTokens + outputTokens)) })
    if (!("near" in answer)) throw refusal(budgets.find((budget) => budget.id === answer.budget) as Applying, answer.spent)
    return answer.near.map(({ budget, spent }) => nearness(budgets.find(({ id: one }) => one === budget) as Applying, spent))
  }

  function refusal({ scope, period, unit, most, ends }: Applying, spent: number) {
    const facts = { scope, period, most: amountOf(unit, most), spent: amountOf(unit, spent), until: ends.slice(0, 16).replace("T", " ") }
    return spent >= most
      ? host.fail("used_up", facts, { retryAfterMs: Math.max(Date.parse(ends) - Date.now(), soonMs) })
      : host.fail("all_reserved", facts, { retryAfterMs: soonMs })
  }

  const service: BudgetsService = {
    hold: async (caller: Caller, agent?: SpendingAgent) => (await applying(caller, agent)).length > 0,
    async reserve(caller, call) {
      const budgets = await applying(caller, call.agent)
      if (budgets.length === 0) return null
      isAsked = true
      const price = await priceOf(caller, budgets, call)
      const outputTokens = call.maxTokens ?? host.config.assumedOutputTokens
      const id = randomUUID()
      const reserved = { budgets, price, outputTokens }
      const near = await setAside(caller, id, reserved, call.promptTokens, outputTokens)
      open.set(id, reserved)
      const isBound = call.maxTokens === undefined && budgets.some(({ enforcement }) => enforcement === "hard")
      return { id, outputTokens, near, ...(isBound && { bound: outputTokens }) }
    },
    async extend(caller, id, outputTokens) {
      const reserved = open.get(id)
      // An earlier activation has set it aside, and it counts in whole by now.
      if (!reserved) return Number.MAX_SAFE_INTEGER
      const longer = Math.ceil(outputTokens) + host.config.assumedOutputTokens
      await setAside(caller, id, reserved, 0, longer - reserved.outputTokens)
      reserved.outputTokens = longer
      return longer
    },
    async settle(caller, id, spent) {
      const reserved = open.get(id)
      if (!reserved) return
      open.delete(id)
      settling += 1
      try {
        const tokens = spent.reduce((sum, { usage }) => sum + usage.promptTokens + usage.completionTokens, 0)
        const nano = reserved.budgets.some(({ unit }) => unit === "usd") ? await costOf(caller, spent) : 0
        await patiently(() => ledger.settle(caller, { id, tokens, nano: nano === null && reserved.price === null ? 0 : nano, budgets: reserved.budgets }))
      } finally {
        settling -= 1
      }
    },
  }

  /** What is not settled would count as spent in whole: an outage is waited for, as long as the gateway stands. */
  async function patiently(settle: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await settle()
        return
      } catch (err) {
        if (stopping.aborted) throw err
        host.log.warn({ err }, "a budget is not settled yet")
        await sleep(againMs, undefined, { signal: stopping }).catch(() => undefined)
      }
    }
  }

  async function costOf(caller: Caller, spent: readonly Spent[]): Promise<number | null> {
    if (spent.length === 0) return 0
    return host.has(Prices) ? host.use(Prices).cost(caller, spent) : null
  }

  return {
    service,
    /** True while reservations of this node are to live. */
    isHolding: () => open.size > 0 || settling > 0,
    isSettling: () => settling > 0,
    /** True once a budget has held for a call here: then those of other nodes that are gone matter here, too. */
    isAsked: () => isAsked,
    applying,
  }
}

function holdOf({ id, subject, starts, ends, unit, most, enforcement, warnAt }: Applying, amount: number): Hold {
  return { budget: id, subject, starts, ends, unit, amount, most, hard: enforcement === "hard", warnAt }
}

/** No call of that size costs more, whatever comes from a cache or is thought. */
function mostCost(price: Price, promptTokens: number, outputTokens: number): number {
  const rates = price.long && promptTokens > price.long.aboveTokens ? price.long : price
  const sum = BigInt(promptTokens) * BigInt(Math.max(rates.input, rates.cacheWrite)) + BigInt(outputTokens) * BigInt(Math.max(rates.output, rates.reasoning))
  return Number((sum + 999_999n) / 1_000_000n)
}
