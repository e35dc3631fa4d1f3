/** What of a stream crosses to another process at once: what came within so many ms, or so many characters of it. */
const batch = { ms: 20, chars: 4_096 }

/** Joins neighbouring batches of deltas. What is there goes on after 20 ms at the latest, however slowly the rest comes. */
export async function* inBatches<D>(source: AsyncIterable<readonly D[]>): AsyncGenerator<D[]> {
  const iterator = source[Symbol.asyncIterator]()
  let next = iterator.next()
  try {
    for (;;) {
      const first = await next
      if (first.done) return
      const held = [...first.value]
      next = iterator.next()
      const until = performance.now() + batch.ms
      while (sizeOf(held) < batch.chars) {
        const more = await within(next, until - performance.now())
        if (more === undefined || more.done) break
        held.push(...more.value)
        next = iterator.next()
      }
      yield held
    }
  } finally {
    next.catch(() => undefined)
    await iterator.return?.()
  }
}

/** Undefined when it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms <= 0) return undefined
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function sizeOf(deltas: readonly unknown[]): number {
  return deltas.reduce<number>((sum, delta) => sum + ((delta as { text?: string; arguments?: string }).text ?? (delta as { arguments?: string }).arguments ?? "").length, 0)
}
