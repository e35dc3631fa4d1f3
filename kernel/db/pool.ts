import { AsyncLocalStorage } from "node:async_hooks"
import { hash } from "node:crypto"
import { isError, type Query } from "@plugboard/sdk"
import { type CommonQueryMethods, createPool, type DatabasePool } from "slonik"
import { fail } from "../failures.ts"
import { boundName, type Who } from "./binding.ts"
import { isOutage } from "./outage.ts"
import { type Lease, type OpenSession, Sessions } from "./sessions.ts"
import { giveBack, Handover, leasingDriver } from "./slonik-driver.ts"

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
  open: OpenSession
  size: number
  /** True: rows are checked against the schema of their query. For tests. */
  checkRows: boolean
  /** A connection that nobody needed for so long is closed; undefined: it stays. Milliseconds. */
  idleMs?: number
}

/** A query's text as the server takes it, and the name under which the server keeps its plan. Texts with parts of their own (lists of columns) are few; past the limit a text goes unnamed. */
interface Prepared {
  text: string
  statement: string
}
const prepared = new Map<string, Prepared>()
const preparedLimit = 1_000

function prepare(written: string): Prepared {
  const known = prepared.get(written)
  if (known) return known
  // The tag numbers values with a mark of its own, so that fragments can be joined.
  const text = written.replaceAll("$slonik_", "$")
  if (prepared.size >= preparedLimit) return { text, statement: "" }
  const made = { text, statement: hash("sha1", text, "hex") }
  prepared.set(written, made)
  return made
}

/** More than may ever wait: who waits, waits for a session. */
const slonikConnections = 10_000

/** Statements go to a session themselves; transactions are slonik's. What the database cannot be asked, or does not answer, fails as `kernel.database_unavailable`. */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const sessions = new Sessions(options)
  const handover = new AsyncLocalStorage<Handover>()
  const pool = await createPool("", {
    driverFactory: leasingDriver(sessions, handover),
    maxPoolSize: slonikConnections,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    transactionRetryLimit: 0,
    idleTimeout: 10_000,
    gracefulTerminationTimeout: 1_000,
    // Who is bound is known for each session; forgetting it would cost a round trip per query.
    resetConnection: ({ query }) => query(giveBack),
    // The room has its own rule about what may join a transaction, and an event of one may be announced from within another.
    dangerouslyAllowForeignConnections: true,
  })
  pool.on("error", () => undefined)

  /** Work on a connection of its own. An error that is the query's own leaves the session in the pool; slonik would end it. */
  async function borrowed<T>(work: (connection: Pick<DatabasePool, "transaction">) => Promise<T>): Promise<T> {
    const lease = await sessions.take().catch((error: unknown) => Promise.reject(asFailure(error)))
    const handed = new Handover(lease)
    return new Promise<T>((resolve, reject) => {
      const use = async (connection: Pick<DatabasePool, "transaction">) => {
        try {
          resolve(await work(connection))
        } catch (error) {
          const told = error instanceof WorkFailed ? error.cause : asFailure(error)
          reject(told)
          if (isError(told, "kernel.database_unavailable")) throw error
        }
      }
      const over = () => {
        const left = handed.take()
        if (left) sessions.give(left)
      }
      handover
        .run(handed, () => pool.connect(use))
        .catch((error: unknown) => reject(asFailure(error)))
        .finally(over)
    })
  }

  async function run<T>(who: Who, query: Query<T>, statement?: string): Promise<Result<T>> {
    const { text, statement: own } = prepare(query.sql)
    let lease: Lease | undefined
    let broken = false
    try {
      lease = await sessions.take()
      const result = await lease.query(text, query.values, boundName(who, statement ?? own))
      if (options.checkRows) checkRows(query, result.rows)
      return result as unknown as Result<T>
    } catch (error) {
      const told = asFailure(error)
      broken = isError(told, "kernel.database_unavailable")
      throw told
    } finally {
      if (lease) sessions.give(lease, broken)
    }
  }

  async function ask<T>(connection: Pick<CommonQueryMethods, "query">, who: Who, query: Query<T>, statement: string): Promise<Result<T>> {
    const result = await connection.query({ ...query, name: boundName(who, statement) }).catch((error: unknown) => Promise.reject(asFailure(error)))
    if (options.checkRows) checkRows(query, result.rows)
    return result as unknown as Result<T>
  }

  function asConnection(transaction: Pick<DatabasePool, "query" | "transaction">): Connection {
    return {
      run: (who, query, statement = prepare(query.sql).statement) => ask(transaction, who, query, statement),
      nested: (work) => transaction.transaction((inner) => work(asConnection(inner))),
    }
  }

  return {
    run,
    transaction: (work) =>
      borrowed((connection) =>
        connection.transaction((transaction) =>
          work(asConnection(transaction)).catch((error: unknown) => {
            throw new WorkFailed("the work of a transaction failed", { cause: error })
          }),
        ),
      ),
    async end() {
      await pool.end()
      await sessions.end()
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
