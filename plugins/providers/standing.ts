import type { Asked } from "./attempt.ts"
import type { Breakers } from "./breakers.ts"
import { isTrouble, passes } from "./verdicts.ts"

/** What is done about a failure: the same provider after a wait, the next one, or neither. */
export type Plan = { again: true; waitMs: number } | { again: false }

const firstRetryMs = 250

/** Keeps what an attempt has shown of a key and of a model, and says whether the provider is asked again. */
export function createStanding(breakers: Breakers) {
  function again(asked: Asked, name: string, tries: number, retryAfterMs: number | undefined): Plan {
    const { target, model } = asked
    if (!target || !asked.asked || asked.asked.isProbe) return { again: false }
    const { keys, routing } = target
    if (tries >= Math.max(routing.maxAttempts, keys.size)) return { again: false }
    const isKeys = name === "provider_rate_limited" || name === "provider_auth"
    if (isKeys && keys.isReady(model)) return { again: true, waitMs: 0 }
    // Spread a little, so that calls which failed together do not come back together.
    const waitMs = retryAfterMs ?? firstRetryMs * 2 ** (tries - 1) * (0.75 + Math.random() / 2)
    return passes(name) && waitMs <= routing.maxWaitMs ? { again: true, waitMs } : { again: false }
  }

  return {
    answered({ asked, target, model }: Asked): void {
      if (!asked) return
      breakers.answered(asked.circuit)
      target?.keys.answered(model, asked.key.at)
    },
    /** `tries`: at this provider, in this call. */
    failed(told: Asked, name: string, tries: number, retryAfterMs: number | undefined): Plan {
      const { asked, target, model } = told
      if (asked && name === "provider_rate_limited") target?.keys.limited(model, asked.key.at, retryAfterMs)
      if (asked && name === "provider_auth") target?.keys.refused(model, asked.key.at)
      return again(told, name, tries, retryAfterMs)
    },
    /** The call goes elsewhere, or ends. Answers true when this has opened the circuit. */
    left({ asked, target }: Asked, name: string): boolean {
      if (!asked || !target) return false
      if (isTrouble(name)) return breakers.failed(asked.circuit, target.routing)
      breakers.undecided(asked.circuit)
      return false
    },
  }
}
