import { type Caller, type EventTarget, type Failure, failureOf, type Grants, type Host, isError, type Locale, type Manifest } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import { Budget } from "./budget.ts"
import type { LentCaller, LentCallers } from "./callers.ts"
import type { TxCarried } from "./db/carry.ts"
import type { PluginDb } from "./db/open.ts"
import type { PluginTx } from "./db/transaction.ts"
import { OutboundCalls } from "./outbound.ts"
import { errorFrom } from "./wire/errors.ts"

export interface BridgeOptions {
  manifest: Manifest
  grants: Grants
  /** The host that a plugin of ours would have: what it refuses by the manifest is refused here too. */
  host: Host
  callers: LentCallers
  db(): Promise<PluginDb>
  /** A refusal for the log and the audit log. */
  refused(what: string, caller: Caller | undefined): void
  tenants(): Promise<Caller[]>
}

export interface Bridge {
  serve(method: string, args: readonly unknown[], signal: AbortSignal): Promise<unknown>
  /** A message that nobody waits for. */
  told(method: string, args: readonly unknown[]): void
  /** What the process has left open. */
  close(): void
}

type Serve = (args: readonly unknown[], signal: AbortSignal) => Promise<unknown>

/** A plugin of its own process may keep this many transactions waiting or open. */
const mostTransactions = 32
/** Walks over all tenants at once; each holds a caller for every tenant. */
const mostWalks = 4
/** Events: each is written to the database for the other nodes, and goes to sockets. */
const eventBudget = { burst: 1_000, perSecond: 200 }

/**
 * `host`, as a plugin's process reaches it: every call is checked here against what was granted, with the caller that the gateway knows, whatever the process says.
 * A refusal is a typed error there and an audit entry here.
 */
export function createBridge({ manifest, grants, host, callers, db, refused, tenants }: BridgeOptions): Bridge {
  const transactions = new Map<number, { tx: PluginTx; caller: Caller }>()
  const leases = new Map<number, LentCaller[]>()
  const outbound = new OutboundCalls(host.http)
  const events = new Budget(eventBudget)
  let last = 0

  function refuse(what: string, caller?: Caller): Failure {
    refused(what, caller)
    return fail("not_granted", { plugin: manifest.id, what })
  }

  /** Refusals that come from where no plugin is known. */
  function note(error: unknown, method: string, [who]: readonly unknown[]): void {
    if (isError(error, "kernel.sql_refused")) refused(`a statement: ${String(error.failure.params.reason).slice(0, 200)}`, callers.find(who))
    else if (isError(error, "kernel.caller_expired")) refused(`the call ${method} for a caller that it was not lent`, undefined)
  }

  function demandDb(caller: Caller): Promise<PluginDb> {
    if (!grants.db) throw refuse("tables of its own", caller)
    return db()
  }

  async function judged<T>(url: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (isError(error, "kernel.egress_refused")) refused(`a call to ${hostOf(url)}`, undefined)
      throw error
    }
  }

  const serving: Record<string, Serve> = {
    async "db.query"([who, id, text, values]) {
      const caller = callers.demand(who)
      const own = await demandDb(caller)
      if (id === null) return own.query(caller, textOf(text), listOf(values))
      return transaction(id).tx.query(textOf(text), listOf(values))
    },
    async "db.begin"([who]) {
      const caller = callers.demand(who)
      const own = await demandDb(caller)
      if (transactions.size >= mostTransactions) throw fail("overloaded", {}, { retryAfterMs: 1_000 })
      const tx = await own.transaction(caller)
      transactions.set(++last, { tx, caller })
      return last
    },
    async "db.commit"([id, carried]) {
      const { tx, caller } = transaction(id)
      transactions.delete(id as number)
      try {
        const { audit, events, jobs } = carriedOf(carried)
        const stray = events.find(({ event }) => !declares(manifest.events, event))?.event ?? jobs.find(({ name }) => !grants.jobs || !declares(manifest.jobs, name))?.name
        if (stray !== undefined) throw refuse(`${stray}, which its manifest does not declare`, caller)
        await tx.commit({ audit, events, jobs })
      } catch (error) {
        await tx.rollback()
        throw error
      }
    },
    async "db.rollback"([id]) {
      const { tx } = transaction(id)
      transactions.delete(id as number)
      await tx.rollback()
    },
    async "http.request"([url, options], signal) {
      return judged(textOf(url), outbound.request(textOf(url), options, signal))
    },
    "http.check": async ([url]) => judged(textOf(url), host.http.check(textOf(url))),
    "secrets.seal": async ([who, field, clear]) => host.secrets.seal(callers.demand(who), secretName(field, who), textOf(clear)),
    "secrets.open": async ([who, field, sealed]) => host.secrets.open(callers.demand(who), secretName(field, who), textOf(sealed)),
    async "jobs.enqueue"([who, job, data, options]) {
      const caller = callers.demand(who)
      if (!grants.jobs || !declares(manifest.jobs, job)) throw refuse(`the job ${textOf(job)}`, caller)
      await host.jobs.enqueue(caller, textOf(job), data as object, (options ?? {}) as object)
    },
    async service([name, version, method, args], signal) {
      const [who, ...rest] = listOf(args)
      const caller = who === undefined ? undefined : callers.demand(who)
      if (textOf(method) in Object.prototype) throw refuse(`the method ${textOf(method)} of ${textOf(name)}`, caller)
      if (!grants.services.includes(textOf(name))) throw refuse(`the service ${textOf(name)}`, caller)
      const service = host.use<Record<string, (...args: unknown[]) => unknown>>({ service: textOf(name), version: textOf(version) })
      // A caller among further arguments is one that was lent, too.
      const values = [...(caller ? [caller] : []), ...rest.map((value) => callers.resolve(value))]
      return (service as unknown as Record<string, (...args: unknown[]) => unknown>)[textOf(method)]?.(...values, signal)
    },
    async tenants() {
      if (!grants.system) throw refuse("work for all tenants")
      if (leases.size >= mostWalks) throw fail("overloaded", {}, { retryAfterMs: 1_000 })
      const lent = (await tenants()).map((caller) => callers.lend(caller))
      leases.set(++last, lent)
      return { lease: last, callers: lent }
    },
    async describe([failure, locale]) {
      const error = errorFrom({ failure })
      return failureOf(error) ? host.describe(error, locale as Locale) : null
    },
  }

  function lentFor(method: string, who: unknown): Caller {
    try {
      return callers.demand(who)
    } catch (error) {
      note(error, method, [who])
      throw error
    }
  }

  function transaction(id: unknown): { tx: PluginTx; caller: Caller } {
    const open = transactions.get(id as number)
    if (!open) throw fail("transaction_expired")
    return open
  }

  function secretName(field: unknown, who: unknown): string {
    const name = textOf(field)
    if (!grants.secrets.some((granted) => name === granted || name.startsWith(`${granted}:`))) throw refuse(`the secret ${name}`, callers.find(who))
    return name
  }

  return {
    async serve(method, args, signal) {
      const serve = Object.hasOwn(serving, method) ? serving[method] : undefined
      if (!serve) throw refuse(`the call ${method.slice(0, 100)}`)
      try {
        return await serve(args, signal)
      } catch (error) {
        note(error, method, args)
        throw error
      }
    },
    told(method, args) {
      if (method === "publish") {
        const [who, event, payload, to] = args
        const caller = lentFor(method, who)
        if (!declares(manifest.events, event)) throw refuse(`the event ${String(event).slice(0, 100)}`, caller)
        if (typeof payload !== "object" || payload === null) throw new TypeError("an event has no payload")
        // No error: making one costs more than the message did.
        if (!events.take()) return refused(`more than ${eventBudget.perSecond} events a second`, caller)
        host.events.publish(caller, event as string, payload, targetOf(to))
      } else if (method === "tenants.done") {
        for (const caller of leases.get(args[0] as number) ?? []) callers.takeBack(caller)
        leases.delete(args[0] as number)
      } else throw refuse(`the message ${String(method).slice(0, 100)}`)
    },
    close() {
      for (const { tx } of transactions.values()) tx.rollback().catch(() => undefined)
      transactions.clear()
      leases.clear()
    },
  }
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a text was expected")
  return value
}

function listOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError("a list was expected")
  return value
}

function carriedOf(value: unknown): TxCarried {
  const { audit = [], events = [], jobs = [] } = (value ?? {}) as Partial<TxCarried>
  return {
    audit: listOf(audit) as TxCarried["audit"],
    events: (listOf(events) as TxCarried["events"]).map((event) => ({ ...event, to: targetOf(event.to) })),
    jobs: listOf(jobs) as TxCarried["jobs"],
  }
}

function targetOf(to: unknown): EventTarget {
  const { userId, users, except } = (to ?? {}) as EventTarget
  const names = (value: unknown) => Array.isArray(value) && value.every((name) => typeof name === "string")
  return {
    ...(typeof userId === "string" && { userId }),
    ...((users === "everyone" || names(users)) && { users }),
    ...(names(except) && { except }),
  }
}

function declares(declared: object | undefined, name: unknown): boolean {
  return typeof name === "string" && declared !== undefined && Object.hasOwn(declared, name)
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url.slice(0, 100)
}
