import type { Connection } from "./connection.ts"

/** All in ms. Source: wire contract, websocket 1.1. */
export interface Timings {
  /** Between two pings. */
  pingMs: number
  /** Silence after which a socket is ended; a pong is a sign of life. */
  idleMs: number
  /** How long written bytes may wait without becoming fewer. */
  writeMs: number
  /** How long a socket may take to say who it is. */
  connectMs: number
  /** Between two looks. */
  lookMs: number
}
export const defaultTimings: Timings = { pingMs: 30_000, idleMs: 60_000, writeMs: 10_000, connectMs: 30_000, lookMs: 1_000 }

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
    const { pingMs, idleMs, connectMs } = this.#timings
    // A socket that is not read from (its client does not take its answers) cannot be heard; the write limit is for that one.
    const deaf = connection.ws.isPaused
    if (this.#isStuck(connection, now) || (!deaf && now - connection.heardAt > idleMs) || (!connection.caller && now - connection.openedAt > connectMs)) {
      connection.ws.terminate()
    } else if (now - connection.pingedAt > pingMs) {
      connection.pingedAt = now
      connection.ws.ping()
    }
  }

  #isStuck(connection: Connection, now: number): boolean {
    const bytes = connection.ws.bufferedAmount
    if (bytes === 0) {
      connection.stuck = undefined
      return false
    }
    if (!connection.stuck || bytes < connection.stuck.bytes) connection.stuck = { bytes, since: now }
    return now - connection.stuck.since > this.#timings.writeMs
  }
}
