import type { EventEmitter } from "node:events"
import { failureOf } from "@plugboard/sdk"

export type Attack = (given: never) => unknown

export interface Outcome {
  got?: unknown
  refused?: string
  code?: string
}

/** What an attack got, or what stopped it. Errors that come later, where nobody can catch them, count too. */
export async function attempt(attack: Attack, given: unknown): Promise<Outcome> {
  const late = Promise.withResolvers<never>()
  const hear = (error: unknown) => late.reject(error)
  process.on("uncaughtException", hear)
  try {
    const got = await Promise.race([attack(given as never), late.promise])
    return { got: got === undefined ? "nothing was in the way" : got }
  } catch (error) {
    const { message, code, cause } = error as Error & { code?: string }
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message
    return { refused: why, code: failureOf(error)?.name ?? code }
  } finally {
    process.off("uncaughtException", hear)
  }
}

/** Resolves with `told` at the first of these events, and rejects at "error". */
export function firstOf(emitter: EventEmitter, ...events: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    emitter.once("error", reject)
    for (const event of events) emitter.once(event, () => resolve(event))
  })
}
