import { EventReader, type PassedHead, type PassedPart, type SseFrame } from "@plugboard/sdk"
import { RunLog } from "./run-log.ts"

/** Characters of one event. */
const largestEvent = 16 << 20

/** A provider's stream that goes on without its client, and can be read from its beginning. */
export class PassedStream {
  readonly head: PassedHead
  readonly #log = new RunLog()
  readonly #abort: AbortController
  #failure: { error: unknown } | undefined
  readonly done: Promise<void>

  constructor(head: PassedHead, rest: AsyncIterator<PassedPart>, abort: AbortController) {
    this.head = head
    this.#abort = abort
    this.done = this.#pull(rest)
  }

  get ended(): boolean {
    return this.#log.ended
  }

  /** Ends the provider's call. */
  stop(): void {
    this.#abort.abort(new Error("nobody listens"))
  }

  async *frames(): AsyncIterable<readonly SseFrame[]> {
    for await (const batch of this.#log.read()) yield batch.map(({ payload }): SseFrame => ({ data: payload?.data }))
    if (this.#failure) throw this.#failure.error
  }

  async #pull(rest: AsyncIterator<PassedPart>): Promise<void> {
    const reader = new EventReader(largestEvent)
    try {
      for (let next = await rest.next(); !next.done; next = await rest.next()) {
        if (!(next.value instanceof Uint8Array)) continue
        for (const data of reader.read(next.value).events) this.#log.append("data", { data })
        this.#log.wake()
      }
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#log.end()
    }
  }
}

/** What a provider answers: a stream that is kept, or else all of it as it came. */
export async function keptStream(call: (signal: AbortSignal) => AsyncIterable<PassedPart>, signal: AbortSignal): Promise<PassedStream | AsyncIterable<PassedPart>> {
  const abort = new AbortController()
  const leave = () => abort.abort(signal.reason)
  if (signal.aborted) leave()
  signal.addEventListener("abort", leave, { once: true })
  const rest = call(abort.signal)[Symbol.asyncIterator]()
  const first = await rest.next()
  if (!first.done && "head" in first.value && first.value.head.isStream) {
    // From here on its client may come back.
    signal.removeEventListener("abort", leave)
    return new PassedStream(first.value.head, rest, abort)
  }
  async function* again() {
    if (!first.done) yield first.value
    yield* { [Symbol.asyncIterator]: () => rest }
  }
  return again()
}
