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

/** Of each such span the reader may spend a part on one process; then that process waits, in proportion when one frame took longer than that. Milliseconds. */
const paceMs = { span: 100, part: 30 }

/**
 * Reads frames; `take` gets each. `broken` is called once when the bytes are no frames.
 * `paced`: a process that floods takes no more of this one than its part.
 */
export function readFrames(source: Readable, take: (json: string, bytes: Uint8Array) => void, broken: (reason: string) => void, paced: boolean): void {
  let held: Buffer[] = []
  let heldBytes = 0
  let wanted = headBytes
  let over = false
  let spanEnds = 0
  let spent = 0
  source.on("data", (chunk: Buffer) => {
    if (!paced) return read(chunk)
    const began = performance.now()
    if (began >= spanEnds) {
      spanEnds = began + paceMs.span
      spent = 0
    }
    read(chunk)
    const now = performance.now()
    spent += now - began
    if (spent < paceMs.part) return
    source.pause()
    const waitMs = Math.max(1, spanEnds - now, (spent * paceMs.span) / paceMs.part - spent)
    spanEnds = now + waitMs
    setTimeout(() => source.resume(), waitMs)
  })
  function read(chunk: Buffer): void {
    if (over) return
    held.push(chunk)
    heldBytes += chunk.length
    if (heldBytes < wanted) return
    let all = held.length === 1 ? chunk : Buffer.concat(held)
    while (all.length >= headBytes) {
      const rest = all.readUInt32LE(0)
      const text = all.readUInt32LE(4)
      if (rest < 4 || rest > longestFrame || text > rest - 4) {
        over = true
        broken(rest > longestFrame ? `it sent a frame of ${rest} bytes, and ${longestFrame} are the most` : "it sent bytes that are no frame")
        return
      }
      const end = 4 + rest
      wanted = end
      if (all.length < end) break
      const bodyAt = headBytes + text
      try {
        take(all.toString("utf8", headBytes, bodyAt), all.subarray(bodyAt, end))
      } catch (error) {
        over = true
        broken(`it sent a frame that cannot be read: ${(error as Error).message}`)
        return
      }
      all = all.subarray(end)
      wanted = headBytes
    }
    held = all.length > 0 ? [all] : []
    heldBytes = all.length
  }
}
