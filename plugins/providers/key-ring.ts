/** How long a key that was refused, or one whose limit has no stated end, is not the first choice. */
const refusedMs = 60_000
const limitedMs = 1_000

/** One of the keys, and when it may be used again. */
export interface PickedKey {
  apiKey: string
  at: number
  /** 0: now. */
  readyInMs: number
}

/** The keys of one provider. Limits are per key and model, as most providers count them. */
export class KeyRing {
  readonly #keys: readonly string[]
  #next = 0
  /** Until when a key rests for a model. */
  readonly #resting = new Map<string, number>()

  /** At least one; an empty text for a provider without a key. */
  constructor(keys: readonly string[]) {
    this.#keys = keys
  }

  get size(): number {
    return this.#keys.length
  }

  /** The next one that does not rest, else the one that rests the shortest. */
  pick(model: string, inTurn: boolean): PickedKey {
    const from = inTurn ? this.#next : 0
    let best: PickedKey | undefined
    for (let step = 0; step < this.#keys.length; step += 1) {
      const at = (from + step) % this.#keys.length
      const readyInMs = this.#readyInMs(model, at)
      if (!best || readyInMs < best.readyInMs) best = { apiKey: this.#keys[at] as string, at, readyInMs }
      if (readyInMs === 0) break
    }
    const picked = best as PickedKey
    this.#next = (picked.at + 1) % this.#keys.length
    return picked
  }

  /** True when one of them can be used at once. */
  isReady(model: string): boolean {
    return this.#keys.some((_, at) => this.#readyInMs(model, at) === 0)
  }

  limited(model: string, at: number, retryAfterMs = limitedMs): void {
    this.#rest(model, at, retryAfterMs)
  }

  refused(model: string, at: number): void {
    this.#rest(model, at, refusedMs)
  }

  answered(model: string, at: number): void {
    if (this.#resting.size > 0) this.#resting.delete(`${at} ${model}`)
  }

  #readyInMs(model: string, at: number): number {
    if (this.#resting.size === 0) return 0
    return Math.max(0, (this.#resting.get(`${at} ${model}`) ?? 0) - performance.now())
  }

  #rest(model: string, at: number, ms: number): void {
    // Models are what clients say: so many that rest never answered.
    if (this.#resting.size >= 1_000) this.#resting.clear()
    this.#resting.set(`${at} ${model}`, performance.now() + ms)
  }
}
