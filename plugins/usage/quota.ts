import { Budgets, type Caller, type Host, seesAll, usdOf } from "@plugboard/sdk"
import type { createAddingUp } from "./adding-up.ts"
import type { manifest } from "./manifest.ts"
import { dayOf, hourOf, rangeOf, weekOf } from "./period.ts"
import { requestsByUser, totals } from "./reports.ts"

/** No number of requests is limited: what holds users back are budgets, in tokens and money. */
const unlimited = (used: number) => ({ used, limit: 0 })

/** Whether a budget holds for the caller, today's totals of the tenant, and the requests of each user in this hour, day and week (UTC); below admin one's own. Source: wire contract, websocket 4.11. */
export async function quotaUsage(host: Host<typeof manifest>, addingUp: ReturnType<typeof createAddingUp>, caller: Caller) {
  const now = Date.now()
  const tail = await addingUp.tail(caller)
  const today = rangeOf({ period: "today" }, now)
  const since = { hour: hourOf(now), day: dayOf(now), week: weekOf(now), to: today.to }
  const db = host.db.for(caller)
  const [enabled, sums, users] = await Promise.all([
    host.has(Budgets, caller) ? host.use(Budgets).hold(caller) : false,
    totals(db, tail, { ...today, agent: null, provider: null, model: null, channel: null }),
    requestsByUser(db, tail, since, seesAll(caller) ? null : caller.userId),
  ])
  return {
    enabled,
    requestsToday: sums.requests,
    inputTokensToday: sums.inputTokens,
    outputTokensToday: sums.outputTokens,
    costToday: usdOf(sums.costNanoUsd),
    uniqueUsersToday: sums.users,
    entries: users.map(({ userId, hour, day, week }) => ({ userId, hour: unlimited(hour), day: unlimited(day), week: unlimited(week) })),
  }
}
