import type { Candidate } from "./discover.ts"
import type { Misfit } from "./manifest-check.ts"

const firstMs = 15_000
const longestMs = 600_000

interface Failed {
  build: string
  settings: string
  misfit: Misfit
  waitMs: number
  until: number
}

/** Plugins that did not come up. While neither their code nor their settings have changed, each failure doubles the time until they are tried again: a broken one is not to cost something at every change of another. */
export class BackOff {
  readonly #failed = new Map<string, Failed>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  note({ manifest: { id }, build }: Candidate, settings: string, misfit: Misfit): void {
    const before = this.#failed.get(id)
    const same = before?.build === build && before.settings === settings
    const waitMs = same ? Math.min(before.waitMs * 2, longestMs) : firstMs
    this.#failed.set(id, { build, settings, misfit, waitMs, until: this.#now() + waitMs })
  }

  /** Why it failed, while it is not to be tried; undefined: it is. */
  waits({ manifest: { id }, build }: Candidate, settings: string): Misfit | undefined {
    const failed = this.#failed.get(id)
    return failed && failed.build === build && failed.settings === settings && this.#now() < failed.until ? failed.misfit : undefined
  }

  /** Somebody has asked for it. */
  forget(id: string): void {
    this.#failed.delete(id)
  }
}
