import type { EventTarget } from "@plugboard/sdk"

/** An event on its way to listeners and sockets of this node. */
export interface LiveEvent {
  name: string
  payload: object
  /** Null only for events to all. */
  tenantId: string | null
  to?: EventTarget
}

type Listener = (event: LiveEvent) => void

/** Events of this node, by name and all together. A listener that throws is reported and harms nobody else. */
export class EventBus {
  readonly #byName = new Map<string, Set<Listener>>()
  readonly #all = new Set<Listener>()
  readonly #report: (error: unknown, event: string) => void

  constructor(report: (error: unknown, event: string) => void) {
    this.#report = report
  }

  publish(event: LiveEvent): void {
    for (const listener of this.#byName.get(event.name) ?? []) this.#call(listener, event)
    for (const listener of this.#all) this.#call(listener, event)
  }

  /** Returns the way to leave. */
  subscribe(name: string, listener: Listener): () => void {
    const set = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, set)
    set.add(listener)
    return () => set.delete(listener)
  }

  subscribeAll(listener: Listener): () => void {
    this.#all.add(listener)
    return () => this.#all.delete(listener)
  }

  #call(listener: Listener, event: LiveEvent): void {
    try {
      listener(event)
    } catch (error) {
      this.#report(error, event.name)
    }
  }
}
