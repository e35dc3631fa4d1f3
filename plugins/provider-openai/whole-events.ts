const lf = 10
const cr = 13

/** Cuts a stream of bytes behind blank lines, so that what leaves is whole events: nothing that is said in between can tear one. */
export class WholeEvents {
  readonly #limit: number
  #rest: Buffer | undefined

  /** `limit`: bytes of one event; more fails with a RangeError. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** All events that are whole by now; undefined when there is none. */
  take(chunk: Uint8Array): Buffer | undefined {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const end = endOfEvents(bytes)
    this.#rest = end === bytes.length ? undefined : bytes.subarray(end)
    if (this.#rest && this.#rest.length > this.#limit) throw new RangeError(`an event is larger than ${this.#limit} bytes`)
    return end === 0 ? undefined : bytes.subarray(0, end)
  }

  /** What stands behind the last blank line, with one: a stream may end without it. */
  end(): Buffer | undefined {
    return this.#rest && Buffer.concat([this.#rest, Buffer.from("\n\n")])
  }
}

/** Behind the last blank line. Lines end with LF or with CR and LF; nobody ends them with CR alone. */
function endOfEvents(bytes: Buffer): number {
  const last = bytes.length - 1
  // Nearly every chunk ends with one.
  if (bytes[last] === lf && (bytes[last - 1] === lf || (bytes[last - 1] === cr && bytes[last - 2] === lf))) return bytes.length
  const plain = bytes.lastIndexOf("\n\n")
  const dos = bytes.lastIndexOf("\n\r\n")
  return Math.max(plain < 0 ? 0 : plain + 2, dos < 0 ? 0 : dos + 3)
}
