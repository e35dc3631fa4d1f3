import { type Caller, type Host, Plugins, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"
import { createRunner } from "./runner.ts"
import { claimJob, releaseJob } from "./store.ts"

const Claimed = row(Type.Object({ id: Type.String(), tenant_id: Type.String(), attempt: Type.Integer() }))
const Nothing = row(Type.Object({}))
/** A node that has nothing to wait for looks this often all the same, in ms: an event may be lost. */
const lookMs = 60_000
/** A job whose tenant is suspended, or does without this plugin, is put off for this long, in ms. */
const putOffMs = 60_000

/** Claims what is due and runs it: each job on one node of the cluster. While no job is scheduled it asks the database for nothing. */
export function createScheduler(host: Host<typeof manifest>) {
  const { id: node, boot } = host.node
  const { tickMs, maxRuns, leaseSeconds } = host.config
  const stopping = new AbortController()
  const run = createRunner(host, stopping.signal)
  const working = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let ticking: Promise<void> = Promise.resolve()
  let awaits = true
  let draining = false
  let lookedAt = Number.NEGATIVE_INFINITY
  let renewedAt = performance.now()

  async function callerOf(tenantId: string): Promise<Caller | undefined> {
    let found: Caller | undefined
    await host.eachTenant(async (caller) => {
      if (caller.tenantId === tenantId) found = caller
    })
    return found && (await host.use(Plugins).inspect(found, host.id)).enabled_here ? found : undefined
  }

  async function serve(id: string, tenantId: string, attempt: number): Promise<void> {
    const caller = await callerOf(tenantId)
    if (caller) await run(caller, id, attempt)
    else await releaseJob(host.db.for({ tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }), id, putOffMs)
  }

  function begin(id: string, tenantId: string, attempt: number): void {
    const work = serve(id, tenantId, attempt)
      // Its lease runs out, and it is claimed again.
      .catch((err: unknown) => host.log.error({ err, job: id, tenant: tenantId }, "scheduled job left"))
      .finally(() => {
        working.delete(id)
        lookedAt = Number.NEGATIVE_INFINITY
      })
    working.set(id, work)
  }

  async function tick(): Promise<void> {
    const now = performance.now()
    if (working.size > 0 && now - renewedAt > (leaseSeconds * 1_000) / 3) {
      renewedAt = now
      await host.db.unbound.query(sql.type(Nothing)`SELECT cron.renew_leases(${node}, ${boot}, ${leaseSeconds})`)
    }
    if (now - lookedAt > lookMs) {
      lookedAt = now
      awaits = (await host.db.unbound.one(sql.type(row(Type.Object({ awaits: Type.Boolean() })))`SELECT cron.awaits() AS awaits`)).awaits
    }
    if (!awaits || working.size >= maxRuns) return
    const claimed = await host.db.unbound.any(
      sql.type(Claimed)`SELECT id, tenant_id, attempt FROM cron.claim(${node}, ${boot}, ${new Date().toISOString()}, ${leaseSeconds}, ${maxRuns - working.size})`,
    )
    for (const { id, tenant_id, attempt } of claimed) if (!working.has(id)) begin(id, tenant_id, attempt)
  }

  function next(): void {
    if (draining) return
    timer = setTimeout(() => {
      ticking = tick()
        .catch((err: unknown) => host.log.debug({ err }, "due jobs not looked up; the next round tries again"))
        .finally(() => {
          next()
        })
    }, tickMs)
    timer.unref()
  }

  host.events.subscribe("cron.changed", () => {
    lookedAt = Number.NEGATIVE_INFINITY
  })

  return {
    start: next,
    /** Enabled or not. False: it is at work. */
    async runNow(caller: Caller, id: string): Promise<boolean> {
      if (!(await claimJob(host.db.for(caller), id, host.node, leaseSeconds))) return false
      begin(id, caller.tenantId, 1)
      return true
    },
    /** What is under way may end until the signal does; the rest is left to other nodes, or to the next start. */
    async drain(signal: AbortSignal): Promise<void> {
      // A round that is under way must not begin the next one.
      draining = true
      clearTimeout(timer)
      const give = () => stopping.abort()
      if (signal.aborted) give()
      else signal.addEventListener("abort", give, { once: true })
      await ticking
      await Promise.all(working.values())
      give()
    },
  }
}
