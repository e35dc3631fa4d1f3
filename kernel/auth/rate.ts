import { LRUCache } from "lru-cache"

interface Bucket {
  tokens: number
  at: number
}

/** How many calls may come at once after a pause. Source: wire contract, http-core 1.5. */
const burst = 5
/** Buckets kept; one that has filled up again says the same as none. */
const most = 50_000

/**
 * A token bucket per key, `perMinute` tokens a minute. The answer is how long to wait in ms; 0: go ahead, a token was taken.
 * Fixed-window counters, which the libraries at hand offer, would let twice the limit through around a window's edge and could not say the wait.
 */
export function createRateLimit(perMinute: number, now: () => number = () => performance.now()): (key: string) => number {
  if (perMinute <= 0) return () => 0
  const perMs = perMinute / 60_000
  const buckets = new LRUCache<string, Bucket>({ max: most })
  return function spendToken(key) {
    const time = now()
    const bucket = buckets.get(key) ?? { tokens: burst, at: time }
    const tokens = Math.min(burst, bucket.tokens + (time - bucket.at) * perMs)
    bucket.at = time
    bucket.tokens = tokens >= 1 ? tokens - 1 : tokens
    buckets.set(key, bucket)
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perMs)
  }
}
