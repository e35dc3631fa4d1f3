import type { Readable, Writable } from "node:stream"
import { errorFrom, wireError } from "./errors.ts"
import { FrameWriter, readFrames } from "./frames.ts"
import { IncomingStream, OutgoingStream } from "./streams.ts"
import { pack, unpack } from "./values.ts"

/** Kinds of frames, each an array that begins with its kind. */
const kinds = { call: 0, answer: 1, failure: 2, abort: 3, item: 4, end: 5, credit: 6, cancel: 7, tell: 8 } as const

export type Serve = (method: string, args: readonly unknown[], signal: AbortSignal) => Promise<unknown>

export interface PeerOptions {
  input: Readable
  output: Writable
  serve: Serve
  /** A message without an answer. */
  told(method: string, args: readonly unknown[]): void
  /** The other side does not keep to the protocol. */
  broken(reason: string): void
  /** Calls, and streams, of the other side under way at once; one more ends it. */
  mostCalls: number
  /** Bytes of frames whose calls are under way, or whose items nobody has read yet; more end it. */
  mostBytes: number
  /** Calls of this side under way at once; further ones wait. */
  mostOwnCalls: number
  /** The other side is not trusted: it may take a part of this process's time and no more. */
  paced: boolean
  /** Stacks help an author; the gateway's own stay at home. */
  sendStacks: boolean
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
  done(): void
}

/** Calls, answers, aborts and streams between two processes, both ways over one pair of pipes. */
export class Peer {
  readonly #options: PeerOptions
  readonly #writer: FrameWriter
  readonly #waiting = new Map<number, Waiting>()
  readonly #serving = new Map<number, AbortController>()
  readonly #incoming = new Map<number, IncomingStream>()
  readonly #outgoing = new Map<number, OutgoingStream>()
  /** Streams that came with the frame at hand. */
  #joined: IncomingStream[] = []
  readonly #queue: (() => void)[] = []
  #heldBytes = 0
  /** Streams that this side has answered with and that have not ended. */
  #answering = 0
  #lastCall = 0
  #lastStream = 0
  #closed: Error | undefined

  constructor(options: PeerOptions) {
    this.#options = options
    this.#writer = new FrameWriter(options.output)
    const take = (json: string, bytes: Uint8Array) => {
      this.#joined = []
      this.#take(unpack(json, bytes, (id) => this.#join(id)) as [number, number, ...unknown[]], json.length + bytes.length)
    }
    readFrames(options.input, take, options.broken, options.paced)
  }

  /** Calls that wait for an answer, and streams that have not ended. */
  get busy(): number {
    return this.#waiting.size + this.#incoming.size + this.#outgoing.size
  }

  /** Rejects with what the other side threw, with the signal's reason, or with what `close` was given. */
  async call(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    while (this.#waiting.size >= this.#options.mostOwnCalls && !this.#closed) await new Promise<void>((free) => this.#queue.push(free))
    return this.#call(method, args, signal)
  }

  #call(method: string, args: readonly unknown[], signal: AbortSignal | undefined): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const id = ++this.#lastCall
      const aborted = () => {
        this.#settle(id)?.reject(signal?.reason)
        this.#send([kinds.abort, id])
      }
      const done = () => signal?.removeEventListener("abort", aborted)
      this.#waiting.set(id, { resolve, reject, done })
      signal?.addEventListener("abort", aborted, { once: true })
      try {
        this.#send([kinds.call, id, method, args])
      } catch (error) {
        this.#settle(id)?.reject(error)
      }
    })
  }

  tell(method: string, args: readonly unknown[]): void {
    if (!this.#closed) this.#send([kinds.tell, 0, method, args])
  }

  /** Everything that waits ends with `error`. */
  close(error: Error): void {
    if (this.#closed) return
    this.#closed = error
    for (const free of this.#queue.splice(0)) free()
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error)
    for (const abort of this.#serving.values()) abort.abort(error)
    for (const stream of this.#incoming.values()) stream.fail(error)
    for (const stream of this.#outgoing.values()) stream.cancel()
    this.#incoming.clear()
    this.#outgoing.clear()
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.done()
    this.#queue.shift()?.()
    return waiting
  }

  #take([kind, id, ...rest]: [number, number, ...unknown[]], size: number): void {
    if (this.#closed) return
    switch (kind) {
      case kinds.call:
        this.#admit(id, rest[0], rest[1], size)
        break
      case kinds.answer: {
        const waiting = this.#settle(id)
        if (waiting) waiting.resolve(rest[0])
        // Nobody waits any more: what the answer would have streamed need not be made.
        else for (const stream of this.#joined) stream.leave()
        break
      }
      case kinds.failure:
        this.#settle(id)?.reject(errorFrom(rest[0]))
        break
      case kinds.abort:
        this.#serving.get(id)?.abort()
        break
      case kinds.item:
        this.#incoming.get(id)?.push(rest[0], this.#hold(size))
        break
      case kinds.end:
        this.#incoming.get(id)?.end(rest[0] === undefined || rest[0] === null ? undefined : errorFrom(rest[0]))
        this.#incoming.delete(id)
        break
      case kinds.credit:
        this.#outgoing.get(id)?.grant(Number(rest[0]))
        break
      case kinds.cancel:
        this.#outgoing.get(id)?.cancel()
        break
      case kinds.tell:
        this.#options.told(rest[0] as string, rest[1] as unknown[])
        break
      default:
        throw new Error(`there is no kind ${kind}`)
    }
  }

  /** Counts bytes that came until what it returns is called. */
  #hold(bytes: number): () => void {
    this.#heldBytes += bytes
    if (this.#heldBytes > this.#options.mostBytes) throw new Error(`more than ${this.#options.mostBytes} bytes wait to be dealt with`)
    return () => {
      this.#heldBytes -= bytes
    }
  }

  #admit(id: number, method: unknown, args: unknown, size: number): void {
    if (typeof method !== "string" || !Array.isArray(args)) throw new Error("a call names no method")
    if (this.#serving.has(id)) throw new Error("two calls have one number")
    if (this.#serving.size + this.#answering >= this.#options.mostCalls) throw new Error(`there are more than ${this.#options.mostCalls} calls and streams at once`)
    const release = this.#hold(size)
    this.#serve(id, method, args)
      .catch((error: Error) => this.#options.broken(`its call ${method.slice(0, 100)} could not be answered: ${error.message}`))
      .finally(release)
  }

  async #serve(id: number, method: string, args: readonly unknown[]): Promise<void> {
    const abort = new AbortController()
    this.#serving.set(id, abort)
    try {
      const answer = await this.#options.serve(method, args, abort.signal)
      this.#serving.delete(id)
      if (!this.#closed) this.#send([kinds.answer, id, answer], abort)
    } catch (error) {
      this.#serving.delete(id)
      if (!this.#closed) this.#sendError(kinds.failure, id, error)
    }
  }

  /** A failure whose facts cannot cross is told by its text. */
  #sendError(kind: number, id: number, error: unknown): void {
    try {
      this.#send([kind, id, wireError(error, this.#options.sendStacks)])
    } catch {
      this.#send([kind, id, wireError(new Error(error instanceof Error ? error.message : String(error)), false)])
    }
  }

  #join(id: number): AsyncIterable<unknown> {
    if (!Number.isSafeInteger(id) || this.#incoming.size >= this.#options.mostCalls || this.#incoming.has(id)) throw new Error("a stream is one too many, or there already")
    const stream = new IncomingStream(
      (count) => this.#closed || this.#send([kinds.credit, id, count]),
      () => {
        this.#incoming.delete(id)
        if (!this.#closed) this.#send([kinds.cancel, id])
      },
    )
    this.#incoming.set(id, stream)
    this.#joined.push(stream)
    return stream
  }

  #open(source: AsyncIterable<unknown>, abort: AbortController | undefined): number {
    const id = ++this.#lastStream
    if (abort) this.#answering += 1
    const stream = new OutgoingStream(
      source,
      (item) => this.#closed || this.#send([kinds.item, id, item]),
      (error) => {
        this.#outgoing.delete(id)
        if (abort) this.#answering -= 1
        if (this.#closed) return
        if (error === undefined) this.#send([kinds.end, id])
        else this.#sendError(kinds.end, id, error)
      },
      abort,
    )
    this.#outgoing.set(id, stream)
    return id
  }

  /** `abort`: of the call that the frame answers. */
  #send(frame: readonly unknown[], abort?: AbortController): void {
    this.#writer.send(pack(frame, (source) => this.#open(source, abort)))
  }
}
