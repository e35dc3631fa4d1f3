import type { Delta } from "./points/provider.ts"
import { reply } from "./replies.ts"
import type { AnswerHead, HeadedDeltas, PassedPart } from "./services/passthrough.ts"

/** What a client is told of an answer beside it, as headers. */
export function headersOf({ runId, cache, budget }: AnswerHead): Record<string, string> {
  return { "x-run-id": runId, ...(cache && { "x-cache": cache }), ...(budget && { "x-budget-warning": budget }) }
}

/** The deltas alone. Their head is put into `headers`, in time for a reply's: those are read when the first event goes out. */
export function headedDeltas(parts: HeadedDeltas, headers: Record<string, string>): AsyncIterable<readonly Delta[]> {
  const iterator = parts[Symbol.asyncIterator]()
  const deltas: AsyncIterator<readonly Delta[]> = {
    async next() {
      const next = await iterator.next()
      if (next.done || !("head" in next.value)) return next as IteratorResult<readonly Delta[]>
      Object.assign(headers, headersOf(next.value.head))
      return deltas.next()
    },
    async return() {
      await iterator.return?.()
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => deltas }
}

/** What a provider says, as the answer of a route: its head decides what kind of answer, and its bytes go out as they come. */
export async function passedThrough(parts: AsyncIterable<PassedPart>) {
  const iterator = parts[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done || first.value instanceof Uint8Array) throw new Error("an answer without a head")
  const { status, isStream, retryAfterMs, ...head } = first.value.head
  const headers = { ...headersOf(head), ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }) }
  if (isStream) return reply.sse({ [Symbol.asyncIterator]: () => iterator as AsyncIterator<Uint8Array> }, headers)
  const second = await iterator.next()
  if (second.done || !(second.value instanceof Uint8Array)) throw new Error("an answer without a body")
  // To its end, so that it is recorded.
  await iterator.next()
  return reply.json<never>(second.value, { status, headers })
}
