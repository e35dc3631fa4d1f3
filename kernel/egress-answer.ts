import type { Dispatcher } from "undici"

type Headers = Readonly<Record<string, string>>

export interface AnswerHead {
  status: number
  headers: Headers
  body: AnswerBody
}

/** Bytes of an answer that may wait for their reader before the connection is not read from. */
const watermark = 65_536

/**
 * One answer as undici's dispatcher tells it: a head, then parts that wait for their reader. Its own `request` makes two streams of it, which cost a call as much as everything else of it.
 * What goes wrong is told to whoever waits for the head, or to the reader after the parts that came before it.
 */
export class Answer implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal | undefined
  readonly #head = Promise.withResolvers<AnswerHead>()
  #body: AnswerBody | undefined
  #controller: Dispatcher.DispatchController | undefined

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    signal?.addEventListener("abort", this.#onAbort)
  }

  get head(): Promise<AnswerHead> {
    return this.#head.promise
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#signal as AbortSignal
    this.#fail(reason)
    this.#controller?.abort(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#signal?.aborted) controller.abort(this.#signal.reason)
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    // Of the informational answers that may come before the real one.
    if (status < 200) return
    this.#body = new AnswerBody(controller)
    this.#head.resolve({ status, headers: flat(headers), body: this.#body })
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk)
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort)
    this.#body?.finish(undefined)
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error)
  }

  #fail(error: unknown): void {
    this.#signal?.removeEventListener("abort", this.#onAbort)
    this.#head.reject(error)
    this.#body?.finish({ error })
  }
}

/** For one reader. A reader that leaves ends the connection. */
export class AnswerBody implements AsyncIterableIterator<Uint8Array> {
  readonly #controller: Dispatcher.DispatchController
  #parts: Buffer[] = []
  #waiting = 0
  #end: { failure: { error: unknown } | undefined } | undefined
  #wake: (() => void) | undefined

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller
  }

  push(part: Buffer): void {
    if (this.#end) return
    this.#parts.push(part)
    this.#waiting += part.length
    if (this.#waiting >= watermark) this.#controller.pause()
    this.#wake?.()
  }

  finish(failure: { error: unknown } | undefined): void {
    this.#end ??= { failure }
    this.#wake?.()
  }

  /** Everything that has come since, in one piece. */
  async next(): Promise<IteratorResult<Uint8Array>> {
    while (this.#parts.length === 0) {
      if (this.#end?.failure) throw this.#end.failure.error
      if (this.#end) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const parts = this.#parts
    this.#parts = []
    this.#waiting = 0
    // What the connection holds already is pushed before this returns.
    this.#controller.resume()
    return { done: false, value: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts) }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    if (!this.#end) {
      this.finish(undefined)
      this.#controller.abort(new Error("its reader has left"))
    }
    this.#parts = []
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

function flat(headers: Record<string, string | string[] | undefined>): Headers {
  const out: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(", ") : value
  }
  return out
}
