import { fail } from "../../failures.ts"

/** How many may wait for a turn, and for how long. */
const waitingLimit = 200
const waitingMs = 5_000

/** At most `limit` at once. Who comes later waits its turn, and is told to come back when that takes too long or too many wait already. */
export class Turns {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Resolves to what ends the turn; ending it twice is ending it once. */
  async take(): Promise<() => void> {
    if (this.#taken < this.#limit) this.#taken += 1
    else await this.#wait()
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#next()
    }
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    const end = await this.take()
    try {
      return await work()
    } finally {
      end()
    }
  }

  #wait(): Promise<void> {
    const busy = () => fail("overloaded", {}, { retryAfterMs: 1_000 })
    if (this.#waiting.size >= waitingLimit) return Promise.reject(busy())
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(start)
        reject(busy())
      }, waitingMs)
      const start = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiting.add(start)
    })
  }

  /** The turn goes to who has waited longest. */
  #next(): void {
    const [first] = this.#waiting
    if (!first) {
      this.#taken -= 1
      return
    }
    this.#waiting.delete(first)
    first()
  }
}
