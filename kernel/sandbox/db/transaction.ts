import type { Caller } from "@plugboard/sdk"
import type { PluginLimits } from "../../db/plugin-limits.ts"
import type { Connection, Pool } from "../../db/pool.ts"
import { fail } from "../../failures.ts"
import type { TxCarried } from "./carry.ts"

export interface PluginResult {
  rows: Record<string, unknown>[]
  rowCount: number
}

/**
 * A transaction that another process goes through step by step, not a batch: the same code of a plugin runs in the gateway's process too, where it reads before it decides what to write.
 * It holds a connection, so it ends by itself when that takes too long.
 */
export interface PluginTx {
  query(text: string, values: readonly unknown[]): Promise<PluginResult>
  /** With what it takes along, or not at all. */
  commit(carried: TxCarried): Promise<void>
  /** Also of one that has ended. */
  rollback(): Promise<void>
}

/** What a transaction needs of the database that it is in. */
export interface TransactionRooms {
  readonly plugin: string
  readonly pool: Pool
  readonly limits: PluginLimits
  run(caller: Caller, connection: Connection, text: string, values: readonly unknown[]): Promise<PluginResult>
  /** Writes what it takes along; resolves to what is to be done once that has been committed. */
  carry(caller: Caller, connection: Connection, carried: TxCarried): Promise<() => void>
  /** It took too long; how long the plugin is kept from the next one, in milliseconds. */
  expired(): number
}

export class OpenTransaction implements PluginTx {
  readonly #rooms: TransactionRooms
  readonly #caller: Caller
  readonly #connection: Connection
  /** Resolving it commits, rejecting it rolls back. */
  readonly #end: PromiseWithResolvers<void>
  readonly #done: Promise<unknown>
  /** Its connection is free again, whatever became of it. */
  readonly ended: Promise<void>
  readonly #longest: NodeJS.Timeout
  #idle: NodeJS.Timeout | undefined
  readonly #underWay = new Set<Promise<unknown>>()
  #over: Error | undefined

  static async begin(rooms: TransactionRooms, caller: Caller): Promise<OpenTransaction> {
    const begun = Promise.withResolvers<Connection>()
    const end = Promise.withResolvers<void>()
    const done = rooms.pool.transaction((connection) => {
      begun.resolve(connection)
      return end.promise
    })
    done.catch(begun.reject)
    return new OpenTransaction(rooms, caller, await begun.promise, end, done)
  }

  private constructor(rooms: TransactionRooms, caller: Caller, connection: Connection, end: PromiseWithResolvers<void>, done: Promise<unknown>) {
    this.#rooms = rooms
    this.#caller = caller
    this.#connection = connection
    this.#end = end
    this.#done = done
    this.#longest = setTimeout(() => this.#expire(), rooms.limits.transactionMs)
    this.#awaitNext()
    // The connection may be lost between two statements.
    this.ended = done.then(
      () => undefined,
      () => this.#close(new Error("the transaction is over: its connection was lost")),
    )
  }

  async query(text: string, values: readonly unknown[]): Promise<PluginResult> {
    this.#demandOpen()
    clearTimeout(this.#idle)
    const asked = this.#rooms.run(this.#caller, this.#connection, text, values)
    this.#underWay.add(asked)
    try {
      return await asked
    } finally {
      this.#underWay.delete(asked)
      this.#awaitNext()
    }
  }

  async commit(carried: TxCarried): Promise<void> {
    this.#demandOpen()
    this.#close(new Error("the transaction is over: it has been committed"))
    try {
      await Promise.allSettled(this.#underWay)
      const tell = await this.#rooms.carry(this.#caller, this.#connection, carried)
      this.#end.resolve()
      await this.#done
      tell()
    } catch (error) {
      this.#over = error as Error
      this.#end.reject(error)
      await this.ended
      throw error
    }
  }

  async rollback(): Promise<void> {
    this.#close(new Error("the transaction is over: it has been rolled back"))
    this.#end.reject(new Error("rolled back"))
    await this.ended
  }

  #demandOpen(): void {
    if (this.#over) throw this.#over
  }

  #close(why: Error): void {
    clearTimeout(this.#longest)
    clearTimeout(this.#idle)
    this.#over ??= why
  }

  /** Between two statements the plugin has the word, and may take no longer than this. */
  #awaitNext(): void {
    if (this.#over || this.#underWay.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.#expire(), this.#rooms.limits.idleMs)
  }

  /** A statement that is under way ends first, by its own limit. */
  #expire(): void {
    if (this.#over) return
    const expired = fail("transaction_expired", { plugin: this.#rooms.plugin }, { retryAfterMs: this.#rooms.expired() })
    this.#close(expired)
    this.#end.reject(expired)
  }
}
