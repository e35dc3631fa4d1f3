import { Type } from "typebox"
import type { Caller } from "./caller.ts"
import type { Host } from "./host.ts"
import { row, sql } from "./sql.ts"

const Claimed = row(Type.Object({ id: Type.String(), tenant_id: Type.String(), attempt: Type.Integer() }))
const Awaits = row(Type.Object({ awaits: Type.Boolean() }))
const Nothing = row(Type.Object({}))
/** A node that has nothing to wait for looks this often all the same, in ms: an event may be lost. */
const lookMs = 60_000
/** Work of a tenant that is suspended, or does without the plugin, is put off for this long, in ms. */
const putOffMs = 60_000

export interface DueWorkOptions {
  /** Of three functions over all tenants: `claim(node, boot, at, lease_seconds, most)`, `renew_leases(node, boot, lease_seconds)` and `awaits()`, which is false while no node need look. */
  schema: string
  /** How often this node looks. */
  tickMs: number
  /** At work at once on this node. */
  most: number
  leaseSeconds: number
  /** An internal event: there may be something to wait for. */
  changedBy: string
  /** `attempt`: from 1; more after a crash. `stopping`: this gateway stops; what is not done is to be released. */
  serve(caller: Caller, id: string, attempt: number, stopping: AbortSignal): Promise<void>
  /** Releases what was claimed, to be looked at again after so long. */
  putOff(caller: Caller, id: string, afterMs: number): Promise<void>
}

export interface DueWork {
  start(): void
  /** For what was claimed by hand. */
  begin(id: string, tenantId: string, attempt: number): void
  /** What is under way may end until the signal does; the rest is left to other nodes, or to the next start. */
  drain(signal: AbortSignal): Promise<void>
}

/** Rows with a due time and a lease, each worked on by one node of the cluster, and taken over when its node dies. While nothing is scheduled the database is asked for nothing. For bundled plugins. */
export function createDueWork(host: Pick<Host, "db" | "eachTenant" | "events" | "log" | "node">, options: DueWorkOptions): DueWork {
  const { id: node, boot } = host.node
  const { tickMs, most, leaseSeconds } = options
  const named = (name: string) => sql.identifier([options.schema, name])
  const stopping = new AbortController()
  const working = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let ticking: Promise<void> = Promise.resolve()
  let awaits = true
  let draining = false
  let lookedAt = Number.NEGATIVE_INFINITY
  let renewedAt = performance.now()

  /** By tenant. Asked once for all that one round has claimed. */
  async function callers(): Promise<Map<string, Caller>> {
    const found = new Map<string, Caller>()
    await host.eachTenant(async (caller) => {
      found.set(caller.tenantId, caller)
    })
    return found
  }

  async function serve(id: string, tenantId: string, attempt: number, tenants: Promise<ReadonlyMap<string, Caller>>): Promise<void> {
    const caller = (await tenants).get(tenantId)
    if (caller) await options.serve(caller, id, attempt, stopping.signal)
    else await options.putOff({ tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }, id, putOffMs)
  }

  function begin(id: string, tenantId: string, attempt: number, tenants = callers()): void {
    const work = serve(id, tenantId, attempt, tenants)
      // Its lease runs out, and it is claimed again.
      .catch((err: unknown) => host.log.error({ err, id, tenant: tenantId }, "due work left"))
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
      await host.db.unbound.query(sql.type(Nothing)`SELECT ${named("renew_leases")}(${node}, ${boot}, ${leaseSeconds})`)
    }
    if (now - lookedAt > lookMs) {
      lookedAt = now
      awaits = (await host.db.unbound.one(sql.type(Awaits)`SELECT ${named("awaits")}() AS awaits`)).awaits
    }
    if (!awaits || working.size >= most) return
    const claimed = await host.db.unbound.any(
      sql.type(Claimed)`SELECT id, tenant_id, attempt FROM ${named("claim")}(${node}, ${boot}, ${new Date().toISOString()}, ${leaseSeconds}, ${most - working.size})`,
    )
    if (claimed.length === 0) return
    const tenants = callers()
    for (const { id, tenant_id, attempt } of claimed) if (!working.has(id)) begin(id, tenant_id, attempt, tenants)
  }

  function next(): void {
    if (draining) return
    timer = setTimeout(() => {
      ticking = tick()
        .catch((err: unknown) => host.log.debug({ err }, "due work not looked up; the next round tries again"))
        .finally(() => {
          next()
        })
    }, tickMs)
    timer.unref()
  }

  host.events.subscribe(options.changedBy, () => {
    lookedAt = Number.NEGATIVE_INFINITY
  })

  return {
    start: next,
    begin: (id, tenantId, attempt) => begin(id, tenantId, attempt),
    async drain(signal) {
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
