import { monitorEventLoopDelay } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"

/** How far behind the event loop is, and whether the heap is nearly full. Past either limit the gateway sheds load, before it is frozen with its port open. */
export class Load {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>
  readonly #timer: NodeJS.Timeout
  #delayMs = 0
  #delayBeforeMs = 0
  #heapFull = false
  /** Of the last second; a healthy loop is under 50. */
  static readonly delayLimitMs = 1_000
  static readonly heapLimit = 0.92

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: 20 })
    this.#histogram.enable()
    this.#timer = setInterval(() => this.#sample(), 1_000)
    this.#timer.unref()
  }

  /** 99th percentile of the last second, in ms. */
  get delayMs(): number {
    return this.#delayMs
  }

  /** One long stop is over when it is seen, as at the start, or when a library is loaded; load makes one after the other. */
  get overloaded(): boolean {
    return Math.min(this.#delayMs, this.#delayBeforeMs) > Load.delayLimitMs || this.#heapFull
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }

  #sample(): void {
    this.#delayBeforeMs = this.#delayMs
    // The histogram counts the 20 ms between two looks as well.
    this.#delayMs = Math.max(0, Math.round(this.#histogram.percentile(99) / 1e6) - 20)
    this.#histogram.reset()
    const { used_heap_size, heap_size_limit } = getHeapStatistics()
    this.#heapFull = used_heap_size > heap_size_limit * Load.heapLimit
  }
}
