import { type Caller, isError } from "@plugboard/sdk"
import type { Who } from "../../db/binding.ts"
import { outOfMemory } from "../../db/driver.ts"
import type { Pool } from "../../db/pool.ts"
import { schemaOf } from "../../db/schema.ts"
import { fail } from "../../failures.ts"
import { carriedOf, writeAsKernel, writeThroughWord } from "./carry.ts"
import { type Border, connectionsOf, type PluginDbRooms } from "./connections.ts"
import { Pause } from "./pause.ts"
import { ensurePluginRole } from "./role.ts"
import { Texts } from "./texts.ts"
import { OpenTransaction, type PluginResult, type PluginTx, type TransactionRooms } from "./transaction.ts"
import { Turns } from "./turns.ts"

/** The database of one sandboxed plugin. Its texts pass the gate, values are parameters, and of every table only the rows of the caller's tenant are there. */
export interface PluginDb {
  readonly border: Border
  /** In `tx`, or by itself. */
  query(caller: Caller, text: string, values: readonly unknown[], tx?: PluginTx): Promise<PluginResult>
  transaction(caller: Caller): Promise<PluginTx>
  /** Open transactions are rolled back. */
  close(): Promise<void>
}

/** Makes the plugin's role when it is absent, and finds out how it can come in. */
export async function openPluginDb(given: PluginDbRooms, plugin: string): Promise<PluginDb> {
  const { db, log } = given
  const { inside } = db
  const role = await ensurePluginRole(inside, plugin)
  const { pool, limits, border, close } = await connectionsOf(given, plugin, role)
  const texts = new Texts(schemaOf(plugin))
  const pause = new Pause(plugin)
  const alone = new Turns(limits.atOnce)
  const together = new Turns(limits.atOnce)
  const open = new Set<PluginTx>()
  let closed = false
  const whoIs = ({ tenantId }: Caller): Who => `x:${role}:${tenantId}`

  async function ask(run: Pool["run"], caller: Caller, text: string, values: readonly unknown[]): Promise<PluginResult> {
    const { query, name } = await texts.gated(text, values)
    const startedAt = performance.now()
    try {
      return await run(whoIs(caller), query, name)
    } catch (error) {
      // On the embedded database a statement past its limits has cost everybody a restart.
      if (isError(error, "kernel.database_unavailable") && (performance.now() - startedAt >= limits.statementMs || tookAllMemory(error))) pause.begin()
      throw error
    }
  }

  const rooms: TransactionRooms = {
    plugin,
    pool,
    limits,
    run: (caller, connection, text, values) => ask(connection.run, caller, text, values),
    async carry(caller, connection, taken) {
      const carried = carriedOf(plugin, caller, taken)
      if (border === "login") await writeThroughWord(inside, whoIs(caller), connection, carried)
      else await writeAsKernel(inside, connection, carried)
      return () => carried.events.forEach(inside.deliver)
    },
    expired() {
      const ms = pause.begin()
      log.warn({ plugin, pausedMs: ms }, "transaction of a plugin took too long and was rolled back")
      return ms
    },
  }

  return {
    border,
    async query(caller, text, values, tx) {
      if (tx) return tx.query(text, values)
      pause.demandOver()
      return alone.with(() => ask(pool.run, caller, text, values))
    },
    async transaction(caller) {
      pause.demandOver()
      await inside.queueSettled()
      const endTurn = await together.take()
      try {
        if (closed) throw fail("unavailable")
        const tx = await OpenTransaction.begin(rooms, caller)
        open.add(tx)
        void tx.ended.then(() => {
          open.delete(tx)
          endTurn()
        })
        return tx
      } catch (error) {
        endTurn()
        throw error
      }
    },
    async close() {
      closed = true
      await Promise.all([...open].map((tx) => tx.rollback()))
      await close()
    },
  }
}

function tookAllMemory(error: object): boolean {
  return (error as { cause?: { code?: unknown } }).cause?.code === outOfMemory
}
