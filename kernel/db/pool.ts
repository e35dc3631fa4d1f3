import { hash } from "node:crypto"
import type { Query } from "@plugboard/sdk"
import { createPool, type DatabasePool, type DriverFactory, type DriverTypeParser } from "slonik"
import { fail } from "../failures.ts"
import { boundName, type Who } from "./binding.ts"
import { isOutage } from "./outage.ts"

export interface Result<T> {
  rows: T[]
  rowCount: number
}
/** One query as `who`, under a statement name of its own when one is given. */
export type Run = <T>(who: Who, query: Query<T>, statement?: string) => Promise<Result<T>>

export interface PoolOptions {
  uri: string
  driverFactory: DriverFactory
  size: number
  statementTimeoutMs: number
  /** True: rows are checked against the schema of their query. For tests. */
  checkRows: boolean
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

/** Queries that may wait for a connection; the next one is told to come back. */
const waitingLimit = 2_000

const type = (name: string, parse: (text: string) => unknown): DriverTypeParser => ({ name, parse })
const typeParsers = [
  type("int8", Number),
  type("numeric", Number),
  type("timestamptz", (text) => new Date(text).toISOString()),
]

/** The slonik pool, with bounded waiting: what is past the limit, and what a silent server leaves without an answer, fails as `kernel.database_unavailable`. */
export async function openPool(options: PoolOptions): Promise<{ run: Run; transaction<T>(work: (run: Run) => Promise<T>): Promise<T>; end(): Promise<void> }> {
  const pool: DatabasePool = await createPool(options.uri, {
    driverFactory: options.driverFactory,
    maxPoolSize: options.size,
    connectionTimeout: 5_000,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    transactionRetryLimit: 0,
    idleTimeout: "DISABLE_TIMEOUT",
    idleInTransactionSessionTimeout: 60_000,
    statementTimeout: options.statementTimeoutMs,
    gracefulTerminationTimeout: 1_000,
    resetConnection: async () => undefined,
    typeParsers,
  } as Parameters<typeof createPool>[1])
  pool.on("error", () => undefined)
  const pending = new Set<{ since: number; reject: (error: unknown) => void }>()
  // The server ends a statement past its limit itself. This is for a server that has fallen silent.
  const watch = setInterval(() => {
    const oldest = performance.now() - options.statementTimeoutMs - 3_000
    for (const entry of pending) {
      if (entry.since > oldest) break
      pending.delete(entry)
      entry.reject(new Error("the database does not answer"))
    }
  }, 1_000)
  watch.unref()

  function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (pending.size >= waitingLimit) return Promise.reject(fail("database_unavailable", {}, { retryAfterMs: 1_000 }))
    return new Promise<T>((resolve, reject) => {
      const entry = { since: performance.now(), reject: (error: unknown) => reject(asFailure(error)) }
      pending.add(entry)
      work().then(
        (value) => {
          pending.delete(entry)
          resolve(value)
        },
        (error: unknown) => {
          pending.delete(entry)
          reject(asFailure(error))
        },
      )
    })
  }
  const runner = (connection: Pick<DatabasePool, "query">): Run => {
    return async function runQuery<T>(who: Who, query: Query<T>, statement?: string): Promise<Result<T>> {
      const result = await connection.query({ ...query, name: boundName(who, statement ?? statementOf(query.sql)) } as Query<T>)
      if (options.checkRows) checkRows(query, result.rows)
      return result as unknown as Result<T>
    }
  }
  const onPool = runner(pool)
  return {
    run: (who, query, statement) => bounded(() => onPool(who, query, statement)),
    transaction: (work) => bounded(() => pool.transaction((connection) => work(runner(connection)))),
    async end() {
      clearInterval(watch)
      await pool.end()
    },
  }
}

/** SQLSTATE of a text that the database cannot hold, such as one with a NUL character: the client's fault, wherever the text went. */
const unstorable = new Set(["22021", "22P05"])

function asFailure(error: unknown): unknown {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  if (unstorable.has(code ?? cause?.code ?? "")) return fail("invalid_request", { where: "request", reason: "a text holds a NUL character" }, { cause: error })
  return isOutage(error) ? fail("database_unavailable", {}, { retryAfterMs: 1_000, cause: error }) : error
}

function checkRows<T>(query: Query<T>, rows: readonly unknown[]): void {
  for (const value of rows) {
    const checked = query.parser["~standard"].validate(value) as { issues?: readonly { message: string }[] }
    if (checked.issues) throw new Error(`a row does not fit its schema: ${checked.issues.map((issue) => issue.message).join("; ")}\n${query.sql}`)
  }
}
