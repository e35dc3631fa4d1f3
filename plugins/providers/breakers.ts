import { LRUCache } from "lru-cache"
import type { Routing } from "./routing-settings.ts"

interface Circuit {
  /** Calls that failed in a row. */
  failed: number
  openUntil: number
  /** Until then one call tries whether it answers again. */
  probingUntil: number
}

/**
 * Circuits of models that have failed; a model that answers has none, so looking for one costs nothing while all is well. Cockatiel's breaker lets calls wait for the one that probes,
 * where ours go to the next provider, and it takes a probe that its client aborted for a success.
 */
export class Breakers {
  readonly #circuits = new LRUCache<string, Circuit>({ max: 10_000 })

  /** Ms until it may be tried again; 0: ask it now. When the time is over, the first who is told so probes it, and the others wait for as long again at most. */
  enter(key: string, { breakMs }: Routing): number {
    const circuit = this.#circuits.size === 0 ? undefined : this.#circuits.get(key)
    if (!circuit || circuit.openUntil === 0) return 0
    const now = performance.now()
    const leftMs = Math.max(circuit.openUntil, circuit.probingUntil) - now
    if (leftMs > 0) return leftMs
    circuit.probingUntil = now + breakMs
    return 0
  }

  /** True while one call tries whether it answers: that one is not repeated. */
  isProbing(key: string): boolean {
    return this.#circuits.size > 0 && (this.#circuits.get(key)?.probingUntil ?? 0) > performance.now()
  }

  answered(key: string): void {
    if (this.#circuits.size > 0) this.#circuits.delete(key)
  }

  /** Answers true when this call has opened the circuit. */
  failed(key: string, { breakAfter, breakMs }: Routing): boolean {
    const circuit = this.#circuits.get(key) ?? { failed: 0, openUntil: 0, probingUntil: 0 }
    circuit.failed += 1
    const opens = circuit.probingUntil > 0 || (circuit.failed >= breakAfter && circuit.openUntil === 0)
    if (opens) circuit.openUntil = performance.now() + breakMs
    circuit.probingUntil = 0
    this.#circuits.set(key, circuit)
    return opens
  }

  /** The call ended in a way that says nothing about the model: its client left, or the key was refused. */
  undecided(key: string): void {
    const circuit = this.#circuits.size === 0 ? undefined : this.#circuits.get(key)
    if (circuit) circuit.probingUntil = 0
  }
}
