import type { Duplex } from "node:stream"
import type { DriverQueryResult } from "@slonik/driver"
import pg from "pg"
import {
  BackendTerminatedError,
  CheckIntegrityConstraintViolationError,
  ForeignKeyIntegrityConstraintViolationError,
  InvalidInputError,
  NotNullIntegrityConstraintViolationError,
  StatementTimeoutError,
  UniqueIntegrityConstraintViolationError,
} from "slonik"
import { type BindingOptions, bindConnection, scriptName, unlimitedName, type Wire } from "./binding.ts"
import { BoundedQuery } from "./bounded-query.ts"
import { NamedQuery } from "./named-query.ts"
import type { PluginLimits } from "./plugin-limits.ts"
import { rowTypes } from "./row-types.ts"
import type { OpenSession } from "./sessions.ts"

export interface DriverOptions extends BindingOptions {
  config: pg.ClientConfig
  /** The embedded database's end of the protocol; a server is reached by TCP. */
  stream?: () => Duplex
  /** Called when a statement went unanswered for `silenceMs`, or took all memory; its connection is given up. */
  onSilence?: () => void
  silenceMs: number
  /** Waiting for a lock; 0: as long as the statement may take. Milliseconds. */
  lockTimeoutMs?: number
  /** A transaction between two statements. */
  idleInTransactionMs?: number
}

/** SQLSTATE. Source: PostgreSQL, appendix A. */
export const outOfMemory = "53200"

/** The longest statement without a limit: a migration. Milliseconds. */
const dayMs = 86_400_000

/** What pg's types leave out. */
type PgClient = pg.Client & { processID: number | null; connection: { stream: Duplex }; getTransactionStatus(): string | null }

/** Sessions on either database, through the same client of PostgreSQL's protocol: the same types, errors and prepared statements on both. */
export function sessionOpener(options: DriverOptions): OpenSession {
  return async function openSession(onLost) {
    const client = new pg.Client({ ...options.config, types: rowTypes, ...(options.stream && { stream: options.stream }) }) as PgClient
    const onError = (error: Error) => onLost(asSlonikError(error))
    client.on("error", onError)
    const wire: Wire = { send: sender(client, options), status: () => client.getTransactionStatus() ?? "I", pooled: false }
    try {
      await client.connect()
      if (options.stream) await forget(wire)
      else wire.pooled = await isPooled(client)
      if (!wire.pooled) await wire.send(sessionText, [options.statementTimeoutMs, options.idleInTransactionMs ?? 90_000, options.lockTimeoutMs ?? 0].map(String), "")
    } catch (error) {
      client.off("error", onError)
      client.on("error", () => undefined)
      client.end().catch(() => undefined)
      throw error
    }
    return { query: bindConnection(wire, options), end: () => client.end() }
  }
}

/** The server cancels what takes longer; the embedded database does not know how, and ignores it. */
const sessionText =
  "SELECT set_config('TimeZone', 'UTC', false), set_config('standard_conforming_strings', 'on', false), set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false), set_config('lock_timeout', $3, false)"

/** The embedded database has one session. What its last user left there is dropped. */
async function forget(wire: Wire): Promise<void> {
  await wire.send("ROLLBACK", [], "")
  await wire.send("DISCARD ALL", [], "")
}

/** A pooler greets with a number of its own, and another server process answers. */
async function isPooled(client: PgClient): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")
  return rows[0]?.pid !== client.processID
}

function sender(client: PgClient, { silenceMs, onSilence, stream }: DriverOptions): Wire["send"] {
  return (text, values, statement, limits) =>
    new Promise<DriverQueryResult>((resolve, reject) => {
      const script = statement === scriptName
      const unlimited = statement === unlimitedName
      const query = {
        text,
        values: values as unknown[],
        name: statement === "" || script || unlimited ? undefined : statement,
        // Without it, and without values, a text of several statements would pass.
        queryMode: script ? undefined : "extended",
        query_timeout: script || unlimited ? dayMs : silenceMs,
      }
      const done = (error: (Error & { code?: string }) | null, result: pg.QueryResult | pg.QueryResult[]) => {
        if (!error) return resolve(asDriverResult(result))
        if (error.code === undefined && error.message === "Query read timeout") {
          onSilence?.()
          return reject(new BackendTerminatedError(new Error("the database does not answer")))
        }
        // The embedded database keeps memory that it once had until it starts again.
        if (error.code === outOfMemory) onSilence?.()
        reject(asSlonikError(error))
      }
      // With a callback pg makes no promise of its own.
      const named = query.name !== undefined && !limits && NamedQuery.fits(values)
      if (named) void client.query(new NamedQuery(statement, text, values, silenceMs, done as never) as unknown as pg.Submittable)
      else if (limits) sendBounded(client, query, limits, stream ? limits.statementMs : silenceMs, done)
      else void client.query(query, done)
    })
}

/** The embedded database cannot cancel a statement, so its silence has to be as short as the limit is. */
function sendBounded(client: PgClient, query: pg.QueryConfig, limits: PluginLimits, silenceMs: number, done: (error: Error | null, result: pg.QueryResult) => void): void {
  const { stream } = client.connection
  let bytes = 0
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    const flood = bounded.flooded(bytes)
    if (flood) stream.destroy(flood)
  }
  const bounded = new BoundedQuery(query, limits, (error, result) => {
    stream.off("data", count)
    done(error, result)
  })
  stream.on("data", count)
  void client.query(Object.assign(bounded, { query_timeout: silenceMs }) as unknown as pg.Submittable)
}

/** Names of columns are left out: nobody here asks for them. */
function asDriverResult(result: pg.QueryResult | pg.QueryResult[]): DriverQueryResult {
  const last = Array.isArray(result) ? result.at(-1) : result
  const rows = Array.isArray(result) ? result.flatMap((one) => one.rows) : result.rows
  return { command: (last?.command ?? "SELECT") as DriverQueryResult["command"], fields: [], rowCount: last?.rowCount ?? 0, rows }
}

/** The errors that code looks at, as slonik's classes. Source: PostgreSQL, appendix A. */
function asSlonikError(error: Error & { code?: string }): Error {
  if ("failure" in error) return error
  switch (error.code) {
    case "23505":
      return new UniqueIntegrityConstraintViolationError(error)
    case "23503":
      return new ForeignKeyIntegrityConstraintViolationError(error)
    case "23502":
      return new NotNullIntegrityConstraintViolationError(error)
    case "23514":
      return new CheckIntegrityConstraintViolationError(error)
    case "22P02":
      return new InvalidInputError(error.message)
    case "08P01":
      // Of the connection's own class, which is otherwise an outage: the fault is the query's.
      return /^bind message supplies/.test(error.message) ? new InvalidInputError(error.message) : error
    case "57014":
      return new StatementTimeoutError(error)
    case "25P03":
    case "57P01":
    case "57P02":
    case "57P03":
      return new BackendTerminatedError(error)
    default:
      return /connection terminated|not queryable|database worker/i.test(error.message) ? new BackendTerminatedError(error) : error
  }
}
