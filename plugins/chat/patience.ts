import { setTimeout as sleep } from "node:timers/promises"
import { failureOf } from "@plugboard/sdk"

/** How long a turn of a run is tried again while the database is away: about as long as the run's lease. */
const patienceMs = 12_000

/** Tries again while what `work` needs is unavailable. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2_000)) {
    try {
      return await work()
    } catch (error) {
      if (failureOf(error)?.kind !== "UNAVAILABLE" || performance.now() > deadline) throw error
      await sleep(waitMs)
    }
  }
}
