import type { Caller, Host, Parts } from "@plugboard/sdk"
import type { createAddingUp } from "./adding-up.ts"
import { dimensions, oneOf, scopeOf, units } from "./asked.ts"
import type { manifest } from "./manifest.ts"
import { type Asked, rangeOf, readTime } from "./period.ts"
import { points, shares, totals } from "./reports.ts"
import { wirePoint, wireShare, wireSummary } from "./wire.ts"

const mostRows = 1_000

/** The reports for pages that would rather be refused than shown something else than they asked for. Source: wire contract, http-observability 3. */
export function eventRoutes(host: Host<typeof manifest>, addingUp: ReturnType<typeof createAddingUp>) {
  async function asked(caller: Caller, query: Asked & Parameters<typeof scopeOf>[1] & { limit?: string }) {
    for (const field of ["from", "to"] as const) if (query[field] && readTime(query[field], field === "to") === null) throw host.fail("bad_query", { field })
    const limit = query.limit ? Number(query.limit) : mostRows
    if (!Number.isInteger(limit) || limit < 1 || limit > mostRows) throw host.fail("bad_query", { field: "limit" })
    return { db: host.db.for(caller), tail: await addingUp.tail(caller), scope: scopeOf(rangeOf(query, Date.now()), query), limit }
  }
  return {
    eventSeries: async ({ query, caller }) => {
      const { db, tail, scope, limit } = await asked(caller, query)
      const found = await points(db, tail, scope, oneOf(units, query.group_by ?? query.interval))
      // The newest ones, where there are too many.
      return { points: found.slice(-limit).map(wirePoint) }
    },
    eventShares: async ({ query, caller }) => {
      const { db, tail, scope, limit } = await asked(caller, query)
      return { rows: (await shares(db, tail, scope, oneOf(dimensions, query.group_by))).slice(0, limit).map(wireShare) }
    },
    eventSummary: async ({ query, caller }) => {
      const { db, tail, scope } = await asked(caller, query)
      return { summary: wireSummary(await totals(db, tail, scope)) }
    },
  } satisfies Partial<Parts<typeof manifest>["routes"]>
}
