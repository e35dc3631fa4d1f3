import type { Readable, Writable } from "node:stream"
import type { Packed } from "./values.ts"

/** Longest frame in bytes, either way. What is larger crosses as a stream. */
export const longestFrame = 16 << 20
const headBytes = 8

/**
 * A frame is the length of its rest and of its text, both as 32 bits little-endian, then the text (JSON) and the bytes that it names.
 * Frames of one turn go out in one write.
 */
export class FrameWriter {
  readonly #out: Writable
  #waiting: Buffer[] = []

  constructor(out: Writable) {
    this.#out = out
  }

  send({ json, blobs }: Packed): void {
    const text = Buffer.byteLength(json)
    const rest = 4 + text + blobs.reduce((sum, blob) => sum + blob.length, 0)
    if (rest > longestFrame) throw new RangeError(`a value of ${rest} bytes is larger than the ${longestFrame} that cross at once; send it as a stream`)
    const head = Buffer.allocUnsafe(headBytes + text)
    head.writeUInt32LE(rest, 0)
    head.writeUInt32LE(text, 4)
    head.write(json, headBytes)
    if (this.#waiting.length === 0) process.nextTick(() => this.#flush())
    this.#waiting.push(head, ...(blobs as Buffer[]))
  }

  /** Bytes that the other side has not taken yet. */
  get backlog(): number {
    return this.#out.writableLength
  }

  #flush(): void {
    const frames = this.#waiting
    this.#waiting = []
    if (!this.#out.destroyed) this.#out.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames))
  }
}

/**
 * Of each span the reader may spend a part on one process; then that process waits, in proportion when one frame took longer than that.
 * Within its part it makes way after each slice, for requests that have nothing to do with it. Milliseconds.
 */
const paceMs = { span: 100, part: 20, slice: 2 }

/**
 * Reads frames; `take` gets each. `broken` is called once when the bytes are no frames.
 * `paced`: a process that floods takes no more of this one than its part.
 */
export function readFrames(source: Readable, take: (json: string, bytes: Uint8Array) => void, broken: (reason: string) => void, paced: boolean): void {
  const frames = new FrameBuffer(take, broken)
  if (!paced) {
    source.on("data", (chunk: Buffer) => {
      frames.add(chunk)
      frames.work(Number.POSITIVE_INFINITY)
    })
    return
  }
  let spanEnds = 0
  let spent = 0
  source.on("data", (chunk: Buffer) => {
    frames.add(chunk)
    step()
  })
  function step(): void {
    const began = performance.now()
    if (began >= spanEnds) {
      spanEnds = began + paceMs.span
      spent = 0
    }
    const more = frames.work(began + paceMs.slice)
    const now = performance.now()
    spent += now - began
    if (spent < paceMs.part && !more) return
    source.pause()
    if (spent < paceMs.part) {
      setImmediate(goOn, more)
      return
    }
    const waitMs = Math.max(1, spanEnds - now, (spent * paceMs.span) / paceMs.part - spent)
    spanEnds = now + waitMs
    setTimeout(goOn, waitMs, more)
  }
  function goOn(more: boolean): void {
    source.resume()
    if (more) step()
  }
}

/** Bytes that have come, and the frames in them. */
class FrameBuffer {
  readonly #take: (json: string, bytes: Uint8Array) => void
  readonly #broken: (reason: string) => void
  #held: Buffer[] = []
  #heldBytes = 0
  #wanted = headBytes
  #over = false

  constructor(take: (json: string, bytes: Uint8Array) => void, broken: (reason: string) => void) {
    this.#take = take
    this.#broken = broken
  }

  add(chunk: Buffer): void {
    if (this.#over) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
  }

  /** Hands on whole frames until that time. True when there are more. */
  work(until: number): boolean {
    if (this.#over || this.#heldBytes < this.#wanted) return false
    let all = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held)
    let late = false
    while (all.length >= headBytes) {
      const rest = all.readUInt32LE(0)
      const text = all.readUInt32LE(4)
      if (rest < 4 || rest > longestFrame || text > rest - 4)
        return this.#end(rest > longestFrame ? `it sent a frame of ${rest} bytes, and ${longestFrame} are the most` : "it sent bytes that are no frame")
      const end = 4 + rest
      this.#wanted = end
      if (all.length < end) break
      late = until < Number.POSITIVE_INFINITY && performance.now() >= until
      if (late) break
      const bodyAt = headBytes + text
      try {
        this.#take(all.toString("utf8", headBytes, bodyAt), all.subarray(bodyAt, end))
      } catch (error) {
        return this.#end(`it sent a frame that cannot be read: ${(error as Error).message}`)
      }
      all = all.subarray(end)
      this.#wanted = headBytes
    }
    this.#held = all.length > 0 ? [all] : []
    this.#heldBytes = all.length
    return late
  }

  #end(reason: string): false {
    this.#over = true
    this.#held = []
    this.#broken(reason)
    return false
  }
}
