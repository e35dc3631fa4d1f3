import pg from "pg"
import { fail } from "../failures.ts"
import type { PluginLimits } from "./plugin-limits.ts"

/** What pg's types leave out of its query, which is the part between a client and its connection. Source: pg 8.23, lib/query.js. */
interface Connection {
  execute(portal: { portal: string }): void
  sync(): void
}
interface QueryInside {
  callback: (error: Error | null, result: pg.QueryResult) => void
  prepare(connection: Connection): void
  handleDataRow(message: { length: number }): void
  handlePortalSuspended(connection: Connection): void
  handleCommandComplete(message: object, connection: Connection): void
  handleError(error: Error, connection: Connection): void
}
const QueryOfPg = pg.Query as unknown as new (config: pg.QueryConfig & { rows: number; queryMode: string }) => QueryInside

/**
 * A statement whose answer may not be larger than a limit. The server is asked for one row more than it may have, and told to stop there; what is too large is dropped as it comes in.
 * A statement that gave too much has failed, so what it wrote must not stay: the transaction ends with an error of the server's own.
 */
export class BoundedQuery extends QueryOfPg {
  readonly #limits: PluginLimits
  #rows = 0
  #bytes = 0
  #excess: Error | undefined
  #preparing = false
  #synced = false

  constructor(config: pg.QueryConfig, limits: PluginLimits, done: QueryInside["callback"]) {
    super({ ...config, rows: limits.rows + 1, queryMode: "extended" })
    this.#limits = limits
    this.callback = done
  }

  /** Told how many bytes of this answer have come in. An error: it is far too large, and the connection is not worth the wait for the rest. */
  flooded(bytes: number): Error | undefined {
    return bytes < this.#limits.bytes * 2 ? undefined : this.#exceed()
  }

  override prepare(connection: Connection): void {
    this.#preparing = true
    super.prepare(connection)
    this.#preparing = false
  }

  override handleDataRow(message: { length: number }): void {
    this.#rows += 1
    this.#bytes += message.length
    if (this.#rows > this.#limits.rows || this.#bytes > this.#limits.bytes) this.#exceed()
    else super.handleDataRow(message)
  }

  override handlePortalSuspended(connection: Connection): void {
    this.#undo(connection)
  }

  override handleCommandComplete(message: object, connection: Connection): void {
    if (this.#excess) {
      this.#undo(connection)
      return
    }
    this.#synced = true
    super.handleCommandComplete(message, connection)
  }

  override handleError(error: Error, connection: Connection): void {
    // A value that cannot be sent fails before anything is, and pg has synchronised by then; after an error of the server it leaves that out.
    if (!this.#synced && !this.#preparing) {
      this.#synced = true
      connection.sync()
    }
    super.handleError(this.#excess ?? error, connection)
  }

  #exceed(): Error {
    this.#excess ??= fail("answer_too_large", { rows: this.#limits.rows, bytes: this.#limits.bytes })
    return this.#excess
  }

  /** There is no such portal. */
  #undo(connection: Connection): void {
    this.#exceed()
    this.#synced = true
    connection.execute({ portal: "too much" })
    connection.sync()
  }
}
