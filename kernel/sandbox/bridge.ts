import { type Caller, type EventTarget, Failure, type FailureData, type Grants, type Host, type HttpRequest, isError, type Locale, type Manifest } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import type { LentCaller, LentCallers } from "./callers.ts"
import type { TxCarried } from "./db/carry.ts"
import type { PluginDb } from "./db/open.ts"
import type { PluginTx } from "./db/transaction.ts"

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

/**
 * `host`, as a plugin's process reaches it: every call is checked here against what was granted, with the caller that the gateway knows, whatever the process says.
 * A refusal is a typed error there and an audit entry here.
 */
export function createBridge({ manifest, grants, host, callers, db, refused, tenants }: BridgeOptions): Bridge {
  const transactions = new Map<number, { tx: PluginTx; caller: Caller }>()
  const leases = new Map<number, LentCaller[]>()
  let last = 0

  function refuse(what: string, caller?: Caller): Failure {
    refused(what, caller)
    return fail("not_granted", { plugin: manifest.id, what })
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
      const { audit, events = [], jobs = [] } = carried as TxCarried
      const stray = events.find(({ event }) => !manifest.events?.[event])?.event ?? jobs.find(({ name }) => !manifest.jobs?.[name])?.name
      if (stray !== undefined) {
        await tx.rollback()
        throw refuse(`${stray}, which its manifest does not declare`, caller)
      }
      await tx.commit({ audit, events, jobs })
    },
    async "db.rollback"([id]) {
      const { tx } = transaction(id)
      transactions.delete(id as number)
      await tx.rollback()
    },
    async "http.request"([url, options], signal) {
      const { status, headers, body } = await judged(textOf(url), host.http.request(textOf(url), { ...(options as HttpRequest), signal }))
      return { status, headers, body }
    },
    "http.check": async ([url]) => judged(textOf(url), host.http.check(textOf(url))),
    "secrets.seal": async ([who, field, clear]) => host.secrets.seal(callers.demand(who), secretName(field, who), textOf(clear)),
    "secrets.open": async ([who, field, sealed]) => host.secrets.open(callers.demand(who), secretName(field, who), textOf(sealed)),
    async "jobs.enqueue"([who, job, data, options]) {
      const caller = callers.demand(who)
      if (!grants.jobs || !manifest.jobs?.[textOf(job)]) throw refuse(`the job ${textOf(job)}`, caller)
      await host.jobs.enqueue(caller, textOf(job), data as object, (options ?? {}) as object)
    },
    async service([name, version, method, args], signal) {
      const [who, ...rest] = listOf(args)
      const caller = who === undefined ? undefined : callers.demand(who)
      if (!grants.services.includes(textOf(name))) throw refuse(`the service ${textOf(name)}`, caller)
      const service = host.use<Record<string, (...args: unknown[]) => unknown>>({ service: textOf(name), version: textOf(version) })
      // A caller among further arguments is one that was lent, too.
      const values = [...(caller ? [caller] : []), ...rest.map((value) => callers.find(value) ?? value)]
      return (service as unknown as Record<string, (...args: unknown[]) => unknown>)[textOf(method)]?.(...values, signal)
    },
    async tenants() {
      if (!grants.system) throw refuse("work for all tenants")
      const lent = (await tenants()).map((caller) => callers.lend(caller))
      leases.set(++last, lent)
      return { lease: last, callers: lent }
    },
    describe: async ([failure, locale]) => (failure ? host.describe(new Failure(failure as FailureData), locale as Locale) : null),
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
      if (!serve) throw refuse(`the call ${method}`)
      return serve(args, signal)
    },
    told(method, args) {
      if (method === "publish") {
        const [who, event, payload, to] = args as [unknown, string, object, EventTarget | undefined]
        const caller = callers.demand(who)
        if (!manifest.events?.[event]) throw refuse(`the event ${event}`, caller)
        host.events.publish(caller, event, payload, to)
      } else if (method === "tenants.done") {
        for (const caller of leases.get(args[0] as number) ?? []) callers.takeBack(caller)
        leases.delete(args[0] as number)
      } else throw refuse(`the message ${method}`)
    },
    close() {
      for (const { tx } of transactions.values()) tx.rollback().catch(() => undefined)
      transactions.clear()
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

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url.slice(0, 100)
}
