import type { Caller, Host, ProviderConnection, ProviderType, Route, Usage } from "@plugboard/sdk"
import type { Breakers } from "./breakers.ts"
import { type Connections, connectionTo, type Target } from "./connections.ts"
import type { PickedKey } from "./key-ring.ts"
import type { manifest } from "./manifest.ts"
import { Opening } from "./opening.ts"

/** What one call asks of whichever provider answers it. */
export interface Asking<T> {
  caller: Caller
  route: Route
  model: string
  signal: AbortSignal
  /** The first token has a time limit of its own. */
  streams: boolean
  /** Asks, and resolves with what may be handed on: from then on the answer is this provider's. */
  open(type: ProviderType, connection: ProviderConnection, model: string, signal: AbortSignal): Promise<T>
  /** What an attempt that failed so costs. */
  spent(failed: string): Usage | undefined
}

/** A provider of the chain, and which of its models. */
export interface Link {
  provider: string
  /** Left out: its default. */
  model?: string
}

/** What has become known of an attempt, however it ends. */
export interface Asked {
  model: string
  target?: Target
  /** Set when the provider was really asked. */
  asked?: { key: PickedKey; circuit: string; isProbe: boolean }
}

/** An answer that has begun. */
export interface Opened<T> {
  answer: T
  /** It is over. */
  close(): void
  /** Nobody wants it: ends the upstream call. */
  drop(): void
}

/** One attempt at one provider. Rejects with why it was not made, or not answered. */
export function createAttempt(host: Host<typeof manifest>, connections: Connections, breakers: Breakers) {
  return async function attempt<T>(asking: Asking<T>, link: Link, isLast: boolean, told: Asked): Promise<Opened<T>> {
    const { signal } = asking
    const target = await connections.demand(asking.caller, link.provider)
    signal.throwIfAborted()
    const { row, keys, places, routing, type } = target
    const model = link.model ?? target.defaultModel
    told.target = target
    told.model = model
    const key = keys.pick(model, routing.keysInTurn)
    // Whoever is asked last is asked all the same: only the provider knows whether its limit still stands.
    if (!isLast && key.readyInMs > routing.maxWaitMs) throw host.fail("provider_resting", { provider: row.name }, { retryAfterMs: key.readyInMs })
    const place = places.take(routing.maxConcurrent, routing.maxQueued, routing.maxWaitMs, signal)
    if (!(place === true || (await place))) throw host.fail("provider_busy", { provider: row.name, most: routing.maxConcurrent }, { retryAfterMs: 1_000 })
    if (signal.aborted) {
      places.leave()
      throw signal.reason
    }
    const circuit = `${row.id} ${row.updated_at} ${model}`
    const waitMs = breakers.enter(circuit, routing)
    if (waitMs > 0) {
      places.leave()
      throw host.fail("circuit_open", { provider: row.name, model }, { retryAfterMs: waitMs })
    }
    told.asked = { key, circuit, isProbe: breakers.isProbing(circuit) }
    const opening = new Opening(signal)
    const late = () => host.fail("provider_timeout", { provider: row.name, reason: `no token within ${routing.firstTokenMs} ms` })
    try {
      const answer = await opening.within(asking.streams ? routing.firstTokenMs : 0, late, (ending) => asking.open(type, connectionTo(row, type, key.apiKey), model, ending))
      const close = () => {
        opening.close()
        places.leave()
      }
      const drop = () => {
        opening.abort()
        close()
      }
      return { answer, close, drop }
    } catch (error) {
      places.leave()
      throw error
    }
  }
}
