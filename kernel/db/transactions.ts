import { AsyncLocalStorage } from "node:async_hooks"
import type { Queries, Query } from "@plugboard/sdk"
import { DataIntegrityError, NotFoundError } from "slonik"
import type { Who } from "./binding.ts"
import type { Result, Run } from "./pool.ts"

/** A transaction under way: queries of the same tenant join it, wherever they come from. */
interface Open {
  who: Who
  run: Run
  ended: boolean
  /** What is to happen once it has been committed. */
  after: (() => void)[]
}

/**
 * Queries and transactions with the tenant bound. Inside a transaction everything of the same tenant joins it, services of other plugins included; anything else fails at once:
 * on the embedded database's one connection it would wait for itself.
 */
export class Transactions {
  readonly #open = new AsyncLocalStorage<Open>()
  readonly #run: Run
  readonly #begin: <T>(work: (run: Run) => Promise<T>) => Promise<T>

  constructor(pool: { run: Run; transaction<T>(work: (run: Run) => Promise<T>): Promise<T> }) {
    this.#run = pool.run
    this.#begin = pool.transaction
  }

  get inside(): boolean {
    return this.#open.getStore() !== undefined
  }

  transaction<T>(who: Who, work: () => Promise<T>): Promise<T> {
    const outer = this.#open.getStore()
    if (outer) {
      this.#demandSame(outer, who)
      return work()
    }
    const after: (() => void)[] = []
    return this.#begin((run) => {
      const open: Open = { who, run, ended: false, after }
      return this.#open.run(open, async () => {
        try {
          return await work()
        } finally {
          open.ended = true
        }
      })
    }).then((value) => {
      for (const tell of after) tell()
      return value
    })
  }

  /** With the commit of the transaction that is open; a rollback forgets it. */
  afterCommit(tell: () => void): void {
    this.#open.getStore()?.after.push(tell)
  }

  run<T>(who: Who, query: Query<T>): Promise<Result<T>> {
    const open = this.#open.getStore()
    if (!open) return this.#run(who, query)
    this.#demandSame(open, who)
    return open.run(who, query)
  }

  /** For the job queue's tables: in the transaction that is open, or outside any. */
  runAsOwner<T>(query: Query<T>, statement: string): Promise<Result<T>> {
    const open = this.#open.getStore()
    return open && !open.ended ? open.run("owner", query, statement) : this.#run("owner", query, statement)
  }

  queries(who: Who): Queries {
    return {
      any: async (query) => (await this.run(who, query)).rows,
      maybeOne: async (query) => atMostOne(query, (await this.run(who, query)).rows),
      one: async (query) => {
        const row = atMostOne(query, (await this.run(who, query)).rows)
        if (row === null) throw new NotFoundError("Query returned no rows.", query as never)
        return row
      },
      query: (query) => this.run(who, query),
    }
  }

  #demandSame(open: Open, who: Who): void {
    if (open.ended) throw new Error("a query was made after its transaction had ended; await it inside")
    if (open.who !== who) throw new Error(`a query as ${who} was made inside a transaction as ${open.who}; make it before or after`)
  }
}

function atMostOne<T>(query: Query<T>, rows: readonly T[]): T | null {
  if (rows.length > 1) throw new DataIntegrityError("Query returned multiple rows.", query as never)
  return rows[0] ?? null
}
