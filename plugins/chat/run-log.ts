/** One thing that a run tells, numbered from 0 without gaps. Types and payloads are those of the wire. Source: wire contract, websocket 5.1. */
export interface RunEvent {
  readonly seq: number
  readonly type: string
  readonly payload?: Readonly<Record<string, unknown>>
}

/**
 * Everything that a run has told, in order, while it runs. A listener is a place in it and nothing more: it reads when it can, gets all that has come since as one batch,
 * and neither holds the run up nor loses anything. What bounds the log is the length of the answer.
 */
export class RunLog {
  readonly events: RunEvent[] = []
  #ended = false
  #waiting: (() => void)[] = []

  /** Its number. */
  append(type: string, payload?: Readonly<Record<string, unknown>>): number {
    return this.events.push({ seq: this.events.length, type, payload }) - 1
  }

  /** Tells listeners that there is more. Once a batch: waking is the costly part. */
  wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  /** With the terminal event in place. */
  end(): void {
    this.#ended = true
    this.wake()
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Batches from `from` on; ends behind the terminal event. */
  async *read(from = 0): AsyncGenerator<readonly RunEvent[]> {
    let at = from
    for (;;) {
      if (at < this.events.length) {
        const batch = this.events.slice(at)
        at = this.events.length
        yield batch
      } else if (this.#ended) return
      else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
}
