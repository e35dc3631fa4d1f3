import type { Connection } from "./connection.ts"

/** All in ms. Source: wire contract, websocket 1.1. */
export interface Timings {
  /** Between two pings. */
  pingMs: number
  /** Silence after which a socket is ended; a pong is a sign of life. */
  idleMs: number
  /** How long what is written may wait without a byte of it being taken. */
  writeMs: number
  /** How long a socket may take to say who it is. */
  connectMs: number
  /** Between two looks. */
  lookMs: number
  /** How long sockets may take to close when the gateway stops. */
  closeMs: number
}
export const defaultTimings: Timings = { pingMs: 30_000, idleMs: 60_000, writeMs: 10_000, connectMs: 30_000, lookMs: 1_000, closeMs: 2_000 }

/** One timer for all sockets: a timer or two per socket would be a good part of what an idle socket costs. */
export class Watch {
  readonly #timer: NodeJS.Timeout
  readonly #timings: Timings

  constructor(connections: ReadonlySet<Connection>, timings: Timings) {
    this.#timings = timings
    this.#timer = setInterval(() => {
      const now = performance.now()
      for (const connection of connections) this.#look(connection, now)
    }, timings.lookMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(connection: Connection, now: number): void {
    const { pingMs, idleMs, connectMs, writeMs } = this.#timings
    const { ws } = connection
    // A socket that is not read from cannot be heard. If its client takes nothing either, the write limit ends it.
    const silent = !ws.isPaused && now - connection.heardAt > idleMs
    const unknown = !connection.caller && !connection.pending && Date.now() - connection.openedAt > connectMs
    if (silent || unknown || this.#stuckFor(connection, now) > writeMs) ws.terminate()
    else if (now - connection.pingedAt > pingMs && ws.readyState === ws.OPEN) {
      connection.pingedAt = now
      ws.ping()
    }
  }

  #stuckFor(connection: Connection, now: number): number {
    if (!connection.outbound.unwritten) {
      connection.stuck = undefined
      return 0
    }
    const { taken } = connection.outbound
    if (connection.stuck?.taken !== taken) connection.stuck = { taken, since: now }
    return now - (connection.stuck as { since: number }).since
  }
}
