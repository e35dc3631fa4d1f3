import { AsyncLocalStorage } from "node:async_hooks"
import type { Queries, Query } from "@plugboard/sdk"
import { DataIntegrityError, NotFoundError } from "slonik"
import type { Who } from "./binding.ts"
import type { Connection, Pool, Result } from "./pool.ts"

/** A transaction under way, or a savepoint in one: queries of the same tenant join it, wherever they come from. */
interface Level {
  who: Who
  connection: Connection
  outer: Level | undefined
  /** `over`: its work is done, and it is kept or about to be. */
  state: "open" | "over" | "undone"
  /** Statements that were sent and not answered yet, and savepoints: nothing is committed before they are done. */
  underWay: Set<Promise<unknown>>
  /** The savepoint that is open. One at a time: an inner one is undone with the outer one. */
  inner: Promise<unknown> | undefined
  /** What is to happen once all of it has been committed. */
  after: (() => void)[]
}

/** A transaction holds a connection; on the embedded database it holds the only one. Milliseconds. */
const longestMs = 60_000

/**
 * Queries and transactions with the tenant bound. Inside a transaction everything of the same tenant joins it, services of other plugins included; anything else fails at once:
 * on the embedded database's one connection it would wait for itself.
 */
export class Transactions {
  readonly #open = new AsyncLocalStorage<Level>()
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  get inside(): boolean {
    return levelAt(this.#open.getStore()) !== undefined
  }

  /** `work` gets the queries of this transaction: they fail once it has ended. A transaction within one is a savepoint. */
  async transaction<T>(who: Who, work: (queries: Queries) => Promise<T>): Promise<T> {
    const outer = this.#level()
    if (outer) {
      demandSame(outer, who)
      return this.#savepoint(outer, work)
    }
    let level: Level | undefined
    try {
      const value = await this.#pool.transaction((connection) => {
        level = levelOf(who, connection, undefined)
        return within(level, longestMs, this.#at(level, work))
      })
      for (const tell of level?.after ?? []) tell()
      return value
    } catch (error) {
      if (level) level.state = "undone"
      throw error
    }
  }

  async #savepoint<T>(outer: Level, work: (queries: Queries) => Promise<T>): Promise<T> {
    while (outer.inner) await outer.inner
    let level: Level | undefined
    const inner = outer.connection.nested((connection) => {
      level = levelOf(outer.who, connection, outer)
      return this.#at(level, work)
    })
    outer.inner = inner.then(
      () => (outer.inner = undefined),
      () => (outer.inner = undefined),
    )
    try {
      const value = await tracked(outer, inner)
      outer.after.push(...(level?.after ?? []))
      return value
    } catch (error) {
      if (level) level.state = "undone"
      throw error
    }
  }

  #at<T>(level: Level, work: (queries: Queries) => Promise<T>): Promise<T> {
    const queries = asQueries((query) => ask(level, level.who, query))
    return this.#open.run(level, async () => {
      try {
        return await work(queries)
      } finally {
        while (level.underWay.size > 0) await Promise.allSettled(level.underWay)
        if (level.state === "open") level.state = "over"
      }
    })
  }

  /** With the commit of the transaction that is open; a rollback forgets it. */
  afterCommit(tell: () => void): void {
    this.#level()?.after.push(tell)
  }

  run<T>(who: Who, query: Query<T>): Promise<Result<T>> {
    const level = this.#level()
    return level ? ask(level, who, query) : this.#pool.run(who, query)
  }

  /** For the job queue's tables: in the transaction that is open, or outside any. */
  runAsOwner<T>(query: Query<T>, statement: string): Promise<Result<T>> {
    const level = this.#level()
    return level ? tracked(level, level.connection.run("owner", query, statement)) : this.#pool.run("owner", query, statement)
  }

  queries(who: Who): Queries {
    return asQueries((query) => this.run(who, query))
  }

  #level(): Level | undefined {
    const store = this.#open.getStore()
    for (let level = store; level; level = level.outer)
      if (level.state === "undone") throw new Error("a query was made in a transaction that had been rolled back; await all of it inside")
    return levelAt(store)
  }
}

/** What was started inside a transaction may outlive it, a timer for example; it is inside no longer then. */
function levelAt(store: Level | undefined): Level | undefined {
  let level = store
  while (level && level.state !== "open") level = level.outer
  return level
}

function levelOf(who: Who, connection: Connection, outer: Level | undefined): Level {
  return { who, connection, outer, state: "open", underWay: new Set(), inner: undefined, after: [] }
}

async function ask<T>(level: Level, who: Who, query: Query<T>): Promise<Result<T>> {
  if (level.state !== "open") throw new Error("a query was made after its transaction had ended; await it inside")
  if (level.inner) throw new Error("a query was made beside a transaction that is open inside this one; await that one first")
  demandSame(level, who)
  return tracked(level, level.connection.run(who, query))
}

async function tracked<T>(level: Level, work: Promise<T>): Promise<T> {
  level.underWay.add(work)
  try {
    return await work
  } finally {
    level.underWay.delete(work)
  }
}

function demandSame(level: Level, who: Who): void {
  if (level.who !== who) throw new Error(`a query as ${who} was made inside a transaction as ${level.who}; make it before or after`)
}

async function within<T>(level: Level, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      level.state = "undone"
      reject(new Error(`a transaction was open for ${limitMs / 1_000} s; it was rolled back`))
    }, limitMs)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

function asQueries(run: <T>(query: Query<T>) => Promise<Result<T>>): Queries {
  return {
    any: async (query) => (await run(query)).rows,
    maybeOne: async (query) => atMostOne(query, (await run(query)).rows),
    one: async (query) => {
      const row = atMostOne(query, (await run(query)).rows)
      if (row === null) throw new NotFoundError("Query returned no rows.", query as never)
      return row
    },
    query: run,
  }
}

function atMostOne<T>(query: Query<T>, rows: readonly T[]): T | null {
  if (rows.length > 1) throw new DataIntegrityError("Query returned multiple rows.", query as never)
  return rows[0] ?? null
}
