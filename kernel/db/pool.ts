import { hash } from "node:crypto"
import { isError, type Query } from "@plugboard/sdk"
import { type CommonQueryMethods, createPool, type DatabasePool, type DriverFactory } from "slonik"
import { fail } from "../failures.ts"
import { boundName, type Who } from "./binding.ts"
import { isOutage } from "./outage.ts"

export interface Result<T> {
  rows: T[]
  rowCount: number
}
/** One query as `who`, under a statement name of its own when one is given. */
export type Run = <T>(who: Who, query: Query<T>, statement?: string) => Promise<Result<T>>

export interface Connection {
  run: Run
  /** A savepoint: what `work` did is undone when it rejects, and the transaction goes on. */
  nested<T>(work: (inner: Connection) => Promise<T>): Promise<T>
}

export interface Pool {
  run: Run
  transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  end(): Promise<void>
}

export interface PoolOptions {
  driverFactory: DriverFactory
  size: number
  /** True: rows are checked against the schema of their query. For tests. */
  checkRows: boolean
  /** A connection that nobody needed for so long is closed; undefined: it stays. Milliseconds. */
  idleMs?: number
}

/** Text of a query to the name under which the server keeps its plan. Texts with parts of their own (lists of columns) are few; past the limit a text goes unnamed. */
const statements = new Map<string, string>()
const statementLimit = 1_000

function statementOf(text: string): string {
  const known = statements.get(text)
  if (known !== undefined) return known
  if (statements.size >= statementLimit) return ""
  const name = hash("sha1", text, "hex")
  statements.set(text, name)
  return name
}

/** Queries and transactions that may wait for a connection, and for how long; past either they are told to come back. */
const waitingLimit = 2_000
const waitingLimitMs = 5_000

/** The slonik pool, with bounded waiting. What the database cannot be asked, or does not answer, fails as `kernel.database_unavailable`. */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const pool = await createPool("", {
    driverFactory: options.driverFactory,
    maxPoolSize: options.size,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    transactionRetryLimit: 0,
    idleTimeout: options.idleMs ?? "DISABLE_TIMEOUT",
    gracefulTerminationTimeout: 1_000,
    // Who is bound is known for each connection; forgetting it would cost a round trip per query.
    resetConnection: async () => undefined,
    // The room has its own rule about what may join a transaction, and an event of one may be announced from within another.
    dangerouslyAllowForeignConnections: true,
  })
  pool.on("error", () => undefined)
  const waiting = new Set<{ since: number; reject: (error: unknown) => void }>()
  const watch = setInterval(() => {
    const oldest = performance.now() - waitingLimitMs
    for (const entry of waiting) {
      if (entry.since > oldest) break
      waiting.delete(entry)
      entry.reject(unavailable(new Error("no connection of the pool came free")))
    }
  }, 500)
  watch.unref()

  /** Work on a connection of its own. An error that is the query's own leaves the connection in the pool; slonik would end it. */
  function borrowed<T>(work: (connection: Pick<DatabasePool, "query" | "transaction">) => Promise<T>): Promise<T> {
    if (waiting.size >= waitingLimit) return Promise.reject(unavailable(new Error("too many queries wait for a connection")))
    return new Promise<T>((resolve, reject) => {
      const entry = { since: performance.now(), reject }
      waiting.add(entry)
      const use = async (connection: Pick<DatabasePool, "query" | "transaction">) => {
        // Whoever waited too long has been told so; nothing may happen in its name now.
        if (!waiting.delete(entry)) return
        try {
          resolve(await work(connection))
        } catch (error) {
          const told = error instanceof WorkFailed ? error.cause : asFailure(error)
          reject(told)
          if (isError(told, "kernel.database_unavailable")) throw error
        }
      }
      pool.connect(use).catch((error: unknown) => {
        waiting.delete(entry)
        reject(asFailure(error))
      })
    })
  }

  async function ask<T>(connection: Pick<CommonQueryMethods, "query">, who: Who, query: Query<T>, statement: string): Promise<Result<T>> {
    const result = await connection.query({ ...query, name: boundName(who, statement) }).catch((error: unknown) => Promise.reject(asFailure(error)))
    if (options.checkRows) checkRows(query, result.rows)
    return result as unknown as Result<T>
  }

  function asConnection(transaction: Pick<DatabasePool, "query" | "transaction">): Connection {
    return {
      run: (who, query, statement = statementOf(query.sql)) => ask(transaction, who, query, statement),
      nested: (work) => transaction.transaction((inner) => work(asConnection(inner))),
    }
  }

  return {
    run: (who, query, statement = statementOf(query.sql)) => borrowed((connection) => ask(connection, who, query, statement)),
    transaction: (work) =>
      borrowed((connection) =>
        connection.transaction((transaction) =>
          work(asConnection(transaction)).catch((error: unknown) => {
            throw new WorkFailed("the work of a transaction failed", { cause: error })
          }),
        ),
      ),
    async end() {
      clearInterval(watch)
      await pool.end()
    },
  }
}

/** What went wrong between statements is the caller's own, and is not judged here. */
class WorkFailed extends Error {}

function unavailable(cause: unknown) {
  return fail("database_unavailable", {}, { retryAfterMs: 1_000, cause })
}

/** SQLSTATE of a text that the database cannot hold, such as one with a NUL character: the client's fault, wherever the text went. */
const unstorable = new Set(["22021", "22P05"])

function asFailure(error: unknown): unknown {
  if (!(error instanceof Error) || "failure" in error) return error
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  if (unstorable.has(code ?? cause?.code ?? "")) return fail("invalid_request", { where: "request", reason: "a text holds a NUL character" }, { cause: error })
  return isOutage(error) ? unavailable(error) : error
}

function checkRows<T>(query: Query<T>, rows: readonly unknown[]): void {
  for (const value of rows) {
    const checked = query.parser["~standard"].validate(value) as { issues?: readonly { message: string }[] }
    if (checked.issues) throw new Error(`a row does not fit its schema: ${checked.issues.map((issue) => issue.message).join("; ")}\n${query.sql}`)
  }
}
