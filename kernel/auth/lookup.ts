import { LRUCache } from "lru-cache"
import { atMost } from "../at-most.ts"

export interface LookupOptions<V> {
  /** Entries found; as many again for entries that are missing. */
  max: number
  ttlMs: number
  /** How long a missing entry is believed to be missing. */
  missTtlMs: number
  load(key: string): Promise<V | null>
}

/**
 * A bounded memory of answers from the database. What was not found is kept apart, so that invented keys can neither reach the database in numbers nor push out what is in use.
 * One load for all who ask at once. A failed load is not remembered; it rejects as the database did, and is never told as something that is missing.
 */
export class Lookup<V extends object> {
  readonly #options: LookupOptions<V>
  readonly #found: LRUCache<string, V>
  readonly #missing: LRUCache<string, true>
  readonly #loading = new Map<string, Promise<V | null>>()
  /** Counts what was forgotten: a load that began before may have read what was there before. */
  #generation = 0

  constructor(options: LookupOptions<V>) {
    this.#options = options
    this.#found = new LRUCache({ ...atMost(options.max), ttl: options.ttlMs })
    this.#missing = new LRUCache({ ...atMost(options.max), ttl: options.missTtlMs })
  }

  get(key: string): V | null | Promise<V | null> {
    const found = this.#found.get(key)
    if (found !== undefined) return found
    if (this.#missing.has(key)) return null
    return this.#loading.get(key) ?? this.#load(key)
  }

  /** Forgets the entries that fit, and everything that was missing. Loads under way still serve those who wait, and are not remembered. */
  forget(fits: (value: V) => boolean): void {
    this.#generation += 1
    this.#missing.clear()
    this.#loading.clear()
    for (const [key, value] of this.#found.entries()) if (fits(value)) this.#found.delete(key)
  }

  #load(key: string): Promise<V | null> {
    const generation = this.#generation
    const loading = this.#options.load(key).then((value) => {
      if (generation !== this.#generation) return value
      if (value === null) this.#missing.set(key, true)
      else this.#found.set(key, value)
      return value
    })
    const done = () => {
      if (this.#loading.get(key) === loading) this.#loading.delete(key)
    }
    loading.then(done, done)
    this.#loading.set(key, loading)
    return loading
  }
}
