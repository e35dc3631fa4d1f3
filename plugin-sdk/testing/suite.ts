import type { Plugin } from "../plugin.ts"

/** mocha's globals, as far as they are needed: other runners have the same. */
interface SuiteGlobals {
  describe(title: string, suite: () => void): void
  it(title: string, test: () => void | Promise<void>): void
  before(work: () => Promise<void>): void
  after(work: () => Promise<void>): void
}

export function suiteGlobals(): SuiteGlobals {
  return globalThis as unknown as SuiteGlobals
}

/** A plugin as `testGateway` takes it. */
export type GivenPlugin = Plugin | { plugin: Plugin; folder: string }

export function manifestOf(given: GivenPlugin): Plugin["manifest"] {
  return "plugin" in given ? given.plugin.manifest : given.manifest
}

/** No part of it can be changed afterwards. */
export function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) frozen(member)
  return ArrayBuffer.isView(value) ? value : Object.freeze(value)
}

/** Fails when `work` has not ended by then, whatever the way. */
export async function endsWithin<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
