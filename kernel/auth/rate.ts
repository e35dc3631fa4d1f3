import { LRUCache } from "lru-cache"
import { atMost } from "../at-most.ts"

/** How many calls may come at once after a pause. Source: wire contract, http-core 1.5. */
const burst = 5
/** Keys kept; the ones unused for longest are forgotten, and begin with a full bucket. */
const most = 50_000
/** Sums of fractions of a ms are not exact; a wait that was served to the ms must be enough. */
const exactMs = 0.001

/**
 * A token bucket per key, `perMinute` tokens a minute. The answer is how long to wait in ms; 0: go ahead, a token was taken.
 * Kept as the one moment at which the bucket will be full again. Fixed-window counters, which the libraries at hand offer, let twice the limit through around the edge of a window.
 */
export function createRateLimit(perMinute: number, now: () => number = () => performance.now()): (key: string) => number {
  if (perMinute <= 0) return () => 0
  const tokenMs = 60_000 / perMinute
  const fullAt = new LRUCache<string, number>(atMost(most))
  return function spendToken(key) {
    const time = now()
    const full = Math.max(time, fullAt.get(key) ?? 0)
    const wait = full - (burst - 1) * tokenMs - time
    if (wait > exactMs) return Math.ceil(wait)
    fullAt.set(key, full + tokenMs)
    return 0
  }
}
