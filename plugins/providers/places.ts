/** Whoever waits for a place, with the timer and the listener that end the wait. */
interface Waiting {
  go(): void
}

/**
 * Places for calls at one provider. Cockatiel's bulkhead has no limit for the wait, and a call that was aborted keeps its place in the queue: here either leaves at once.
 */
export class Places {
  #taken = 0
  readonly #queue = new Set<Waiting>()

  /** True with a place, which `leave` gives back; false when the queue is full or the wait over. Rejects when the signal ends it. */
  take(most: number, queued: number, waitMs: number, signal: AbortSignal): boolean | Promise<boolean> {
    if (this.#taken < most) {
      this.#taken += 1
      return true
    }
    if (this.#queue.size >= queued || waitMs === 0) return false
    return new Promise<boolean>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal.removeEventListener("abort", abort)
        this.#queue.delete(waiting)
      }
      const waiting: Waiting = {
        go() {
          settle()
          resolve(true)
        },
      }
      const abort = () => {
        settle()
        reject(signal.reason)
      }
      const timer = setTimeout(() => {
        settle()
        resolve(false)
      }, waitMs)
      signal.addEventListener("abort", abort)
      this.#queue.add(waiting)
    })
  }

  /** The place goes to the one who has waited longest. */
  leave(): void {
    const [next] = this.#queue
    if (next) next.go()
    else this.#taken -= 1
  }
}
