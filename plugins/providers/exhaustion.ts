import { type Caller, failureOf, type Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** Why one provider of the chain gave no answer. */
export interface Miss {
  provider: string
  model: string
  error: unknown
}

/** What the caller is told when nobody answered: of one provider its own failure, of several one that names them all. */
export function createExhaustion(host: Host<typeof manifest>) {
  async function lineOf(caller: Caller, { provider, model, error }: Miss): Promise<string> {
    const failure = failureOf(error)
    const reason = failure?.params.reason ?? (await host.describe(error, caller.locale)) ?? "it broke down"
    return `${model === "" ? provider : `${provider}/${model}`}: ${String(reason).slice(0, 300)}`
  }

  return async function exhausted(caller: Caller, misses: readonly Miss[]): Promise<unknown> {
    const [first] = misses
    const last = misses.at(-1)
    if (misses.length === 1) return last?.error
    // All of them hold the request for one that cannot be answered: a longer conversation than any of them takes.
    if (misses.every(({ error }) => failureOf(error)?.kind === "INVALID_REQUEST")) return first?.error
    const lines = await Promise.all(misses.map((miss) => lineOf(caller, miss)))
    const waits = misses.flatMap(({ error }) => failureOf(error)?.retryAfterMs ?? [])
    return host.fail("no_answer", { tried: lines.join("; ") }, { cause: last?.error, ...(waits.length > 0 && { retryAfterMs: Math.min(...waits) }) })
  }
}
