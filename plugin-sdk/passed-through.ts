import { reply } from "./replies.ts"
import type { PassedPart } from "./services/passthrough.ts"

/** What a provider says, as the answer of a route: its head decides what kind of answer, and its bytes go out as they come. */
export async function passedThrough(parts: AsyncIterable<PassedPart>) {
  const iterator = parts[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done || first.value instanceof Uint8Array) throw new Error("an answer without a head")
  const { runId, status, isStream, retryAfterMs } = first.value.head
  const headers = { "x-run-id": runId, ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }) }
  if (isStream) return reply.sse({ [Symbol.asyncIterator]: () => iterator as AsyncIterator<Uint8Array> }, headers)
  const second = await iterator.next()
  if (second.done || !(second.value instanceof Uint8Array)) throw new Error("an answer without a body")
  // To its end, so that it is recorded.
  await iterator.next()
  return reply.json<never>(second.value, { status, headers })
}
