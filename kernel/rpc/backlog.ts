import type { Fate, Outgoing } from "./outgoing.ts"

/** Frames that may wait for one socket. Source: wire contract, websocket 1.1. */
const frameLimit = 256
const byteLimit = 1 << 20
/** What a joined text costs besides its characters. */
const pieceBytes = 16
/** Share of the limits that is left after something was dropped, so that a full backlog is not searched again for the very next frame. */
const relief = 0.75

interface Waiting {
  /** The last of those that were joined: a client that resumes by its number misses nothing. */
  frame: Outgoing
  readonly fate: Fate
  readonly key: string | undefined
  readonly sort: string | undefined
  /** Texts of the joined frames, its own among them. */
  texts: string[] | undefined
  bytes: number
}

/**
 * Frames that a socket has not taken yet, in order. Texts that follow each other in their key's own order are joined as they come; that keeps each key's order, and costs the same however many wait.
 * Past the limits the oldest that can be joined are dropped first, then the oldest other events; responses and the sorts that are kept never are.
 */
export class Backlog {
  #waiting: Waiting[] = []
  readonly #lastOf = new Map<string, Waiting>()
  readonly #count: Record<Fate, number> = { keep: 0, merge: 0, drop: 0 }
  #bytes = 0

  get size(): number {
    return this.#waiting.length
  }

  push(frame: Outgoing): void {
    const { fate, key, sort } = frame
    const last = key === undefined ? undefined : this.#lastOf.get(key)
    if (fate === "merge" && last?.fate === "merge" && last.sort === sort) this.#join(last, frame)
    else if (fate !== "keep" && this.#count.keep >= frameLimit) return
    else this.#add({ frame, fate, key, sort, texts: undefined, bytes: fate === "merge" ? weight(frame) : frame.bytes.length })
    this.#shed("merge")
    this.#shed("drop")
  }

  /** The next frame's bytes; undefined when none waits. */
  shift(): Buffer | undefined {
    const next = this.#waiting.shift()
    if (!next) return undefined
    this.#forget(next)
    return next.texts ? next.frame.bytesWith(next.texts.join("")) : next.frame.bytes
  }

  #join(last: Waiting, frame: Outgoing): void {
    last.texts ??= [last.frame.text as string]
    last.texts.push(frame.text as string)
    last.frame = frame
    last.bytes += weight(frame)
    this.#bytes += weight(frame)
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting)
    if (waiting.key !== undefined) this.#lastOf.set(waiting.key, waiting)
    this.#count[waiting.fate] += 1
    this.#bytes += waiting.bytes
  }

  #forget(waiting: Waiting): void {
    this.#count[waiting.fate] -= 1
    this.#bytes -= waiting.bytes
    if (waiting.key !== undefined && this.#lastOf.get(waiting.key) === waiting) this.#lastOf.delete(waiting.key)
  }

  #shed(fate: Fate): void {
    if (this.#count[fate] === 0 || this.#within(1)) return
    let left = this.#waiting.length
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.fate !== fate || (left <= frameLimit * relief && this.#bytes <= byteLimit * relief)) return true
      this.#forget(waiting)
      left -= 1
      return false
    })
  }

  #within(share: number): boolean {
    return this.#waiting.length <= frameLimit * share && this.#bytes <= byteLimit * share
  }
}

function weight(frame: Outgoing): number {
  return (frame.text as string).length + pieceBytes
}
