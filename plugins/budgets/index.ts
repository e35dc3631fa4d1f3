import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Budgets, type Caller, definePlugin, pageOf } from "@plugboard/sdk"
import type { Applying } from "./applying.ts"
import { createChanges } from "./change.ts"
import { createGuard } from "./guard.ts"
import { createLeases } from "./leases.ts"
import { createLedger } from "./ledger.ts"
import { manifest } from "./manifest.ts"
import { createShown } from "./shown.ts"
import { pruneSpending } from "./store.ts"

/** A gateway that stops waits so long for what has ended to be settled, in ms. */
const lastMs = 3_000

export default definePlugin(manifest, (host) => {
  // New with each activation: what an earlier one has left open is nobody's any more.
  const boot = randomUUID()
  const stopping = new AbortController()
  const changes = createChanges(host)
  const shown = createShown(host)
  const ledger = createLedger(host, boot, warn)
  const guard = createGuard(host, ledger, stopping.signal)
  const leases = createLeases(host, boot, guard)
  host.offer(Budgets, guard.service)

  function warn(caller: Caller, { id, name, scope, subject, period, starts, ends, enforcement, most }: Applying, spent: number): void {
    const percent = most === 0 ? 100 : Math.floor((spent / most) * 100)
    host.log.warn({ budget: id, tenant: caller.tenantId, scope, percent }, "a budget is near its end")
    host.events.publish(caller, "budgets.warned", { budgetId: id, name, scope, subject, period, periodStart: starts, periodEnd: ends, enforcement, percent })
  }

  async function remove(caller: Caller, id: string) {
    await changes.remove(caller, id)
    return { status: "deleted" as const }
  }
  const mine = async (caller: Caller) => ({ budgets: await shown.mine(caller, await guard.applying(caller)) })
  const pageIn = ({ limit, offset }: { limit?: number; offset?: number }) => pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 500, 100)

  return {
    routes: {
      list: ({ query, caller }) => shown.list(caller, pageOf(query, 500, 100)),
      mine: ({ caller }) => mine(caller),
      create: async ({ body, caller }) => shown.one(caller, await changes.create(caller, body)),
      get: async ({ params, caller }) => shown.one(caller, await changes.demand(caller, params.id)),
      spending: async ({ params, query, caller }) => shown.spending(caller, await changes.demand(caller, params.id), pageOf(query, 500, 100)),
      update: async ({ params, body, caller }) => shown.one(caller, await changes.update(caller, params.id, body)),
      remove: ({ params, caller }) => remove(caller, params.id),
    },
    rpc: {
      "budgets.list": (page, { caller }) => shown.list(caller, pageIn(page)),
      "budgets.mine": (_, { caller }) => mine(caller),
      "budgets.get": async ({ id }, { caller }) => shown.one(caller, await changes.demand(caller, id)),
      "budgets.spending": async ({ id, ...page }, { caller }) => shown.spending(caller, await changes.demand(caller, id), pageIn(page)),
      "budgets.create": async (budget, { caller }) => shown.one(caller, await changes.create(caller, budget)),
      "budgets.update": async ({ id, ...change }, { caller }) => shown.one(caller, await changes.update(caller, id, change)),
      "budgets.delete": ({ id }, { caller }) => remove(caller, id),
    },
    jobs: { prune: (_, { caller }) => pruneSpending(host.db.for(caller), host.config.keepDays) },
    start: () => leases.start(),
    async stop() {
      leases.stop()
      for (let waited = 0; guard.isSettling() && waited < lastMs; waited += 20) await sleep(20)
      stopping.abort()
    },
  }
})
