import { inBatches } from "./batches.ts"

/**
 * A stream of ours that a plugin's tap reads. Until `forget`, what the tap has taken is kept, so that the answer can go on without it. It also knows who has the word:
 * while the tap waits for the source, its silence is the source's.
 */
export class LentStream<D> implements AsyncIterable<D[]> {
  readonly #source: AsyncIterator<D[]>
  #kept: D[][] | undefined
  #pulling: Promise<IteratorResult<D[]>> | undefined
  #wordSince = performance.now()
  #onLeave: (() => void) | undefined
  /** What the source failed with: not the tap's to hide. */
  error: unknown

  constructor(source: AsyncIterable<readonly D[]>, remember: boolean) {
    this.#source = inBatches(source)
    this.#kept = remember ? [] : undefined
  }

  /** For the tap. Leaving it does not end the source: who lent it may still go on. */
  [Symbol.asyncIterator](): AsyncIterator<D[]> {
    return { next: () => this.#pull(), return: async () => ({ done: true, value: undefined }) }
  }

  #pull(): Promise<IteratorResult<D[]>> {
    this.#pulling ??= this.#take().finally(() => {
      this.#pulling = undefined
      this.#wordSince = performance.now()
    })
    return this.#pulling
  }

  async #take(): Promise<IteratorResult<D[]>> {
    try {
      const step = await this.#source.next()
      if (!step.done) this.#kept?.push(step.value)
      return step
    } catch (error) {
      this.error = error
      throw error
    }
  }

  forget(): void {
    this.#kept = undefined
  }

  /** All of it from its beginning, whatever the tap has taken. */
  async *whole(): AsyncGenerator<D[]> {
    await this.#pulling?.catch(() => undefined)
    yield* this.#kept ?? []
    if (this.error !== undefined) throw this.error
    for (let step = await this.#source.next(); !step.done; step = await this.#source.next()) yield step.value
  }

  /** `next`, or a rejection when the tap has had the word for `limitMs` without saying anything. */
  async answered<T>(next: Promise<T>, limitMs: number): Promise<T> {
    this.#wordSince = performance.now()
    let clock: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      clock = setInterval(
        () => {
          if (this.#pulling === undefined && performance.now() - this.#wordSince >= limitMs) reject(new Error(`no answer within ${limitMs} ms`))
        },
        Math.max(20, limitMs / 8),
      )
    })
    try {
      return await Promise.race([next, late])
    } finally {
      clearInterval(clock)
    }
  }

  /** Whoever sends it to the tap hears when nobody goes on with it: a tap that never reads would not. */
  whenLeft(listener: () => void): void {
    this.#onLeave = listener
  }

  /** Nobody goes on with it. */
  leave(): void {
    this.#onLeave?.()
    void this.#source.return?.()?.then(undefined, () => undefined)
  }
}
