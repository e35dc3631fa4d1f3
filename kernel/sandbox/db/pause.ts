import { fail } from "../../failures.ts"

const shortestMs = 1_000
const longestMs = 60_000
/** After so long without another one the next is a first one again. */
const calmMs = 300_000

/** A plugin that held the database for too long is kept from it for a while, each time for twice as long. */
export class Pause {
  readonly #plugin: string
  #until = Number.NEGATIVE_INFINITY
  #lastMs = shortestMs

  constructor(plugin: string) {
    this.#plugin = plugin
  }

  /** Throws `kernel.database_paused` while it lasts. */
  demandOver(): void {
    const leftMs = Math.ceil(this.#until - performance.now())
    if (leftMs > 0) throw fail("database_paused", { plugin: this.#plugin }, { retryAfterMs: leftMs })
  }

  /** Begins now; how long it takes, in milliseconds. */
  begin(): number {
    const now = performance.now()
    this.#lastMs = now - this.#until > calmMs ? shortestMs : Math.min(this.#lastMs * 2, longestMs)
    this.#until = now + this.#lastMs
    return this.#lastMs
  }
}
