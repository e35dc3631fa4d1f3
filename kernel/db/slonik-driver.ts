import type { AsyncLocalStorage } from "node:async_hooks"
import { createDriverFactory, type DriverFactory, type DriverQueryResult } from "@slonik/driver"
import type { Lease, Sessions } from "./sessions.ts"

/** What slonik is told to reset a connection with when it lets go of one: here the lease goes back. */
export const giveBack = "give back"

const nothing: DriverQueryResult = { command: "SELECT", fields: [], rowCount: 0, rows: [] }

/** A lease on its way to the connection of the transaction that it was taken for. */
export class Handover {
  #lease: Lease | undefined

  constructor(lease: Lease) {
    this.#lease = lease
  }

  /** Undefined once somebody has it. */
  take(): Lease | undefined {
    const lease = this.#lease
    this.#lease = undefined
    return lease
  }
}

/**
 * slonik's connections as leases, which whoever begins a transaction has taken before. slonik's own driver for servers names no stream
 * and sends a text without values by the protocol that takes several statements.
 */
export function leasingDriver(sessions: Sessions, handover: AsyncLocalStorage<Handover>): DriverFactory {
  return createDriverFactory(async () => ({
    createPoolClient: async ({ clientEventEmitter }) => {
      let lease: Lease | undefined
      function part(broken: boolean): void {
        const held = lease
        lease = undefined
        if (held) sessions.give(held, broken)
      }
      return {
        connect: async () => undefined,
        end: async () => part(true),
        async query(text, values, options) {
          if (text === giveBack) {
            part(false)
            return nothing
          }
          if (!lease) {
            lease = handover.getStore()?.take()
            if (!lease) throw new Error("connection terminated")
            lease.onLost = (error) => clientEventEmitter.emit("error", error)
          }
          return lease.query(text, values, options?.name)
        },
        stream: () => {
          throw new Error("rows are not streamed here")
        },
      }
    },
  }))
}
