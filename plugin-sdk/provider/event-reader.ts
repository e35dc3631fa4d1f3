import { createParser } from "eventsource-parser"

/** Data of server-sent events, batch by batch: all events that one network chunk completes come together. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  readonly #parser
  #events: string[] = []
  #tooLarge: RangeError | undefined

  /** `limit`: characters of one event; more is taken for a broken stream. */
  constructor(limit: number) {
    this.#parser = createParser({
      maxBufferSize: limit,
      onEvent: ({ data }) => this.#events.push(data),
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") this.#tooLarge = new RangeError(`an event is larger than ${limit} characters`)
      },
    })
  }

  /** A RangeError in `broken` ends the stream: what it completed before that still counts. */
  read(chunk: Uint8Array): { events: string[]; broken?: RangeError } {
    return this.#feed(this.#decoder.decode(chunk, { stream: true }))
  }

  /** What stands behind the last blank line: a stream may end without one. */
  end(): string[] {
    return this.#feed(`${this.#decoder.decode()}\n\n`).events
  }

  #feed(text: string): { events: string[]; broken?: RangeError } {
    if (!this.#tooLarge) this.#parser.feed(text)
    const events = this.#events
    this.#events = []
    return { events, broken: this.#tooLarge }
  }
}
