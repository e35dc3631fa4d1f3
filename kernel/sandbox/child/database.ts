import { AsyncLocalStorage } from "node:async_hooks"
import type { AuditEntry, Caller, EventTarget, Queries, Query, TenantDb, Tx } from "@plugboard/sdk"
import type { Peer } from "../wire/peer.ts"

interface Answer {
  rows: never[]
  rowCount: number
}

/** A transaction under way, and what it takes along when it is committed. */
interface Open {
  id: number
  tenantId: string
  audit: AuditEntry[]
  events: { event: string; payload: object; to?: EventTarget }[]
  jobs: { name: string; data: object }[]
}

/** `host.db` from the plugin's process: text and values cross, the gateway looks at the text and binds the tenant. */
export class ChildDatabase {
  readonly #peer: Peer
  readonly #inside = new AsyncLocalStorage<Open | undefined>()

  constructor(peer: Peer) {
    this.#peer = peer
  }

  /** Fails inside a transaction: what it would wait for takes as long as it takes, and the transaction holds locks. */
  refuseInside(what: string): void {
    if (this.#inside.getStore()) throw new Error(`${what} was called inside a transaction, which would hold its locks for as long as the call takes`)
  }

  for(caller: Caller): TenantDb {
    const ask = async (query: Query<unknown>): Promise<Answer> => {
      const open = this.#inside.getStore()
      if (open && open.tenantId !== caller.tenantId) throw new Error("a query for another tenant was made inside a transaction")
      return (await this.#peer.call("db.query", [caller, open?.id ?? null, plainText(query), [...query.values]])) as Answer
    }
    const queries: Queries = {
      any: async (query) => (await ask(query)).rows,
      async maybeOne(query) {
        const { rows } = await ask(query)
        if (rows.length > 1) throw new Error(`the query gave ${rows.length} rows, and one at most was asked for`)
        return rows[0] ?? null
      },
      async one(query) {
        const { rows } = await ask(query)
        if (rows.length !== 1) throw new Error(`the query gave ${rows.length} rows, and one was asked for`)
        return rows[0] as never
      },
      query: ask,
    }
    return { ...queries, transaction: (work) => this.#transaction(caller, queries, work) }
  }

  async #transaction<T>(caller: Caller, queries: Queries, work: (tx: Tx) => Promise<T>): Promise<T> {
    this.refuseInside("a second transaction")
    const open: Open = { id: (await this.#peer.call("db.begin", [caller])) as number, tenantId: caller.tenantId, audit: [], events: [], jobs: [] }
    const tx: Tx = {
      ...queries,
      audit: (entry) => void open.audit.push(entry),
      publish: (event, payload, to) => void open.events.push({ event, payload, to }),
      enqueue: (name, data) => void open.jobs.push({ name, data }),
    }
    let value: T
    try {
      value = await this.#inside.run(open, () => work(tx))
    } catch (error) {
      await this.#peer.call("db.rollback", [open.id]).catch(() => undefined)
      throw error
    }
    await this.#peer.call("db.commit", [open.id, { audit: open.audit, events: open.events, jobs: open.jobs }])
    return value
  }
}

/** The tag names its parameters; PostgreSQL numbers them. */
function plainText({ sql }: Query<unknown>): string {
  return sql.replaceAll("$slonik_", "$")
}
