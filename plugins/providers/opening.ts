import type { Failure } from "@plugboard/sdk"

/** An attempt from its first byte to the end of its answer: the signal of the upstream call, which ends with the caller's or with the wait for the first token. */
export class Opening {
  readonly #controller = new AbortController()
  readonly #left = Promise.withResolvers<never>()
  readonly #caller: AbortSignal

  constructor(caller: AbortSignal) {
    this.#caller = caller
    caller.addEventListener("abort", this.#leave)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What `open` answers, within `ms` (0: without a limit). Does not rely on a provider type that heeds its signal. */
  async within<T>(ms: number, late: () => Failure, open: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timer = ms > 0 ? setTimeout(() => this.#end(late()), ms) : undefined
    try {
      return await Promise.race([open(this.signal), this.#left.promise])
    } catch (error) {
      this.close()
      throw this.signal.aborted ? this.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }

  /** The answer is over: the caller's signal may go on without it. */
  close(): void {
    this.#caller.removeEventListener("abort", this.#leave)
  }

  /** Ends the upstream call of an answer that nobody reads. */
  abort(): void {
    this.#controller.abort()
  }

  readonly #leave = (): void => this.#end(this.#caller.reason)

  #end(reason: unknown): void {
    this.#left.reject(reason)
    this.#controller.abort(reason)
  }
}
