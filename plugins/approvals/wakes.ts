import type { Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** How long one waits at most without a look at the row, in ms: an event may be lost with the connection that brings it. */
const lookMs = 10_000

/** Those on this node who wait for an answer, woken by the event that comes with it from whichever node. */
export function createWakes(host: Host<typeof manifest>) {
  const waiting = new Map<string, { come: boolean; wake: () => void }>()
  host.events.subscribe("approvals.decided", ({ id }: { id: string }) => {
    const known = waiting.get(id)
    if (!known) return
    known.come = true
    known.wake()
  })
  return {
    /** From now on nothing is missed. Returns the way to leave. */
    expect(id: string): () => void {
      waiting.set(id, { come: false, wake: () => undefined })
      return () => waiting.delete(id)
    },
    /** Resolves when there is something to look at, or it is time to. Rejects with the signal. */
    async next(id: string, longestMs: number, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted()
      const known = waiting.get(id)
      if (!known) return
      if (!known.come) {
        await new Promise<void>((resolve, reject) => {
          const abort = () => reject(signal.reason)
          const timer = setTimeout(done, Math.min(longestMs, lookMs))
          function done(): void {
            clearTimeout(timer)
            signal.removeEventListener("abort", abort)
            resolve()
          }
          known.wake = done
          signal.addEventListener("abort", abort, { once: true })
        })
      }
      known.come = false
    },
  }
}
