/** An answer that has begun: what was held back of it, and what is still to come, if there is any. */
export interface Begun<T> {
  held: readonly T[]
  rest: AsyncIterator<T> | undefined
}

/** The whole of it. Leaving it ends the rest. */
export function resumed<T>({ held, rest }: Begun<T>): AsyncIterable<T> {
  let at = 0
  const end: IteratorResult<T> = { done: true, value: undefined }
  const iterator: AsyncIterator<T> = {
    next() {
      const value = held[at]
      if (value === undefined) return rest ? rest.next() : Promise.resolve(end)
      at += 1
      return Promise.resolve({ done: false, value })
    },
    async return() {
      await rest?.return?.()
      return end
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}
