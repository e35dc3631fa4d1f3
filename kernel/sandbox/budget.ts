/** So many at once, and so many a second in the long run. */
export class Budget {
  readonly #limits: { burst: number; perSecond: number }
  #left: number
  #at = performance.now()

  constructor(limits: { burst: number; perSecond: number }) {
    this.#limits = limits
    this.#left = limits.burst
  }

  /** False when there is none left. */
  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#limits.burst, this.#left + ((now - this.#at) * this.#limits.perSecond) / 1_000)
    this.#at = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
