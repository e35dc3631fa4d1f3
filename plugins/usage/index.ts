import { type Caller, definePlugin, type PageQuery, pageOf, Sessions, usdOf } from "@plugboard/sdk"
import type { Static } from "typebox"
import { createAddingUp } from "./adding-up.ts"
import { dimensions, oneOf, scopeOf, units } from "./asked.ts"
import { cliPoint, cliRecord, cliShare, isCli } from "./cli.ts"
import { eventRoutes } from "./events.ts"
import { pruneHours } from "./hours.ts"
import { manifest } from "./manifest.ts"
import { type Asked, comparedRanges, rangeOf, readTime } from "./period.ts"
import { quotaUsage } from "./quota.ts"
import { costs, points, shares, totals } from "./reports.ts"
import { wirePoint, wireRecord, wireShare, wireSummary } from "./wire.ts"

export default definePlugin(manifest, (host) => {
  const sessions = host.use(Sessions)
  const addingUp = createAddingUp(host)

  const timeOf = (text: string | undefined, isEnd: boolean) => {
    const at = readTime(text, isEnd)
    return at === null ? undefined : new Date(at).toISOString()
  }

  async function used(caller: Caller, filter: Asked & { agent?: string; provider?: string }, query: Static<typeof PageQuery>) {
    const page = pageOf(query, 200, 20)
    const [from, to] = [timeOf(filter.from, false), timeOf(filter.to, true)]
    const { agent, provider } = filter
    const found = await sessions.used(caller, { ...(agent && { agent }), ...(provider && { provider }), ...(from && { from }), ...(to && { to }) }, page.limit, page.offset)
    return { records: found.records.map(wireRecord), total: found.total, ...page }
  }

  return {
    routes: {
      timeseries: async ({ query, caller, headers }) => {
        const unit = oneOf(units, query.group_by ?? query.interval)
        const found = await points(host.db.for(caller), await addingUp.tail(caller), scopeOf(rangeOf(query, Date.now()), query), unit)
        const rows = found.map(wirePoint)
        return { points: rows, ...(isCli(headers) && { payload: rows.map(cliPoint) }) }
      },
      summary: async ({ query, caller }) => {
        const { current, previous } = comparedRanges(query, Date.now())
        const tail = await addingUp.tail(caller)
        const [now, before] = await Promise.all([current, previous].map((range) => totals(host.db.for(caller), tail, scopeOf(range, query))))
        return { current: wireSummary(now as Awaited<ReturnType<typeof totals>>), previous: wireSummary(before as Awaited<ReturnType<typeof totals>>) }
      },
      breakdown: async ({ query, caller, headers }) => {
        const found = await shares(host.db.for(caller), await addingUp.tail(caller), scopeOf(rangeOf(query, Date.now()), query), oneOf(dimensions, query.group_by))
        const rows = found.map(wireShare)
        return { rows, ...(isCli(headers) && { payload: rows.map(cliShare) }) }
      },
      ...eventRoutes(host, addingUp),
      detail: async ({ query, caller, headers }) => {
        const { agent_id: agent, ...filter } = query
        const found = await used(caller, { ...filter, ...(agent && { agent }) }, query)
        return { ...found, ...(isCli(headers) && { payload: found.records.map(cliRecord) }) }
      },
      costs: async ({ query, caller }) => {
        const range = { from: readTime(query.from, false) ?? 0, to: readTime(query.to, true) ?? Date.UTC(9_999, 0) }
        const found = await costs(host.db.for(caller), await addingUp.tail(caller), scopeOf(range, query))
        return {
          rows: found.map(({ agentId, costNanoUsd, inputTokens, outputTokens, requests }) => ({
            ...(agentId !== null && { agent_id: agentId }),
            total_cost: usdOf(costNanoUsd),
            total_input_tokens: inputTokens,
            total_output_tokens: outputTokens,
            trace_count: requests,
          })),
        }
      },
    },
    rpc: {
      "usage.get": ({ agentId, limit, offset }, { caller }) => used(caller, agentId ? { agent: agentId } : {}, { limit: String(limit ?? ""), offset: String(offset ?? "") }),
      "usage.summary": async (_, { caller }) => {
        const agents = await sessions.usedByAgent(caller)
        return {
          byAgent: Object.fromEntries(agents.map(({ agentKey, ...used }) => [agentKey, { ...used, totalTokens: used.inputTokens + used.outputTokens }])),
          totalRecords: agents.reduce((sum, agent) => sum + agent.sessions, 0),
        }
      },
      "quota.usage": (_, { caller }) => quotaUsage(host, addingUp, caller),
    },
    jobs: {
      add_up: async (_, { caller }) => {
        await addingUp.addUp(caller)
        await pruneHours(host.db.for(caller), host.config.keepDays)
      },
    },
  }
})
