import type { Delta } from "../points/provider.ts"
import type { AttemptReport } from "../services/routes.ts"

/** The deltas of what the service `providers` answers; the reports are handed to `take`. Behind the one of the attempt that answers there are deltas only, which pass as they come. */
export function deltasOf(parts: AsyncIterable<AttemptReport | readonly Delta[]>, take: (report: AttemptReport) => void): AsyncIterable<readonly Delta[]> {
  const iterator = parts[Symbol.asyncIterator]() as AsyncIterator<AttemptReport | readonly Delta[]>
  let answers = false
  async function untilDeltas(): Promise<IteratorResult<readonly Delta[]>> {
    for (;;) {
      const next = await iterator.next()
      if (next.done || !("attempt" in next.value)) return next as IteratorResult<readonly Delta[]>
      take(next.value)
      answers = next.value.attempt.error === undefined
    }
  }
  const deltas: AsyncIterator<readonly Delta[]> = {
    next: () => (answers ? (iterator.next() as Promise<IteratorResult<readonly Delta[]>>) : untilDeltas()),
    async return() {
      await iterator.return?.()
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => deltas }
}
