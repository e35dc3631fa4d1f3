/** Items that may be on their way at once; the reader grants more as it reads. */
const window = 32

/** The reading end of a stream from the other process. Read once. Leaving the loop ends the source. */
export class IncomingStream implements AsyncIterable<unknown> {
  readonly #grant: (count: number) => void
  readonly #cancel: () => void
  readonly #items: { value: unknown; release: () => void }[] = []
  #granted = 0
  #over = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(grant: (count: number) => void, cancel: () => void) {
    this.#grant = grant
    this.#cancel = cancel
  }

  /** Throws when more comes than was granted. `release` is called once it has been read, or will never be. */
  push(value: unknown, release: () => void): void {
    if (this.#over) {
      release()
      return
    }
    if (this.#granted <= 0) throw new Error("a stream has sent more than it was granted")
    this.#granted -= 1
    this.#items.push({ value, release })
    this.#wake?.()
  }

  end(error: Error | undefined): void {
    this.#over = true
    this.#error = error
    this.#wake?.()
  }

  /** Nobody will read it. */
  leave(): void {
    this.#drop()
    if (this.#over) return
    this.#over = true
    this.#cancel()
  }

  fail(error: Error): void {
    this.#drop()
    this.end(error)
  }

  #drop(): void {
    for (const { release } of this.#items.splice(0)) release()
  }

  /** Ends the source, and whoever reads, with `error`. */
  abandon(error: Error): void {
    if (this.#over) return
    this.leave()
    this.end(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    try {
      for (;;) {
        const item = this.#items.shift()
        if (item) {
          item.release()
          yield item.value
          continue
        }
        if (this.#over) {
          if (this.#error) throw this.#error
          return
        }
        if (this.#granted <= window / 2) {
          this.#granted += window
          this.#grant(window)
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = undefined
      }
    } finally {
      this.leave()
    }
  }
}

/** A source that may end before its reader asks for anything. */
export interface Leavable {
  whenLeft(listener: () => void): void
}

/** The sending end: pulls its source only while the reader has granted something. */
export class OutgoingStream {
  readonly #source: AsyncIterator<unknown>
  readonly #send: (item: unknown) => void
  readonly #ended: (error?: unknown) => void
  readonly #abort: AbortController | undefined
  #credit = 0
  #running = false
  #over = false

  /** `abort`: of the call that answered with it; a source that waits for something hears of its end by that alone. */
  constructor(source: AsyncIterable<unknown>, send: (item: unknown) => void, ended: (error?: unknown) => void, abort?: AbortController) {
    this.#source = source[Symbol.asyncIterator]()
    this.#send = send
    this.#ended = ended
    this.#abort = abort
    const { whenLeft } = source as Partial<Leavable>
    whenLeft?.call(source, () => this.cancel())
  }

  grant(count: number): void {
    if (!Number.isSafeInteger(count) || count < 0) throw new Error("a grant is no number")
    this.#credit = Math.min(this.#credit + count, 4 * window)
    if (!this.#running && !this.#over) void this.#run()
  }

  cancel(): void {
    if (this.#over) return
    this.#over = true
    this.#abort?.abort()
    this.#source.return?.()?.catch?.(() => undefined)
    this.#ended()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#credit > 0 && !this.#over) {
        const { done, value } = await this.#source.next()
        if (this.#over) return
        if (done) {
          this.#over = true
          this.#ended()
          return
        }
        this.#credit -= 1
        this.#send(value)
      }
    } catch (error) {
      if (!this.#over) {
        this.#over = true
        this.#ended(error)
      }
    } finally {
      this.#running = false
    }
  }
}
