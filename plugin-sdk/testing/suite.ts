import { ok } from "node:assert/strict"
import type { Plugin } from "../plugin.ts"
import { type TestGateway, type TestGatewayOptions, testGateway } from "./gateway.ts"

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

/** Where a suite runs a plugin. `copied`: in the gateway's process, where everything that crosses is copied, as a process border would. */
export type Place = "gateway" | "copied" | "sandbox"

export const placeTitles: Readonly<Record<Place, string>> = {
  gateway: "in the gateway's process",
  copied: "in the gateway's process, with all that crosses copied",
  sandbox: "in a process of its own",
}

/** A gateway with the plugin there, and with a plugin of the suite, which looks at it from the gateway's process. */
export function startIn(place: Place, given: GivenPlugin, probe: Plugin, options: Pick<TestGatewayOptions, "bundled" | "config">): Promise<TestGateway> {
  if (place !== "sandbox") return testGateway({ ...options, plugins: [given, probe], clone: place === "copied" })
  ok("plugin" in given, "a plugin runs in a process of its own from its folder: give { plugin, folder }")
  return testGateway({ ...options, plugins: [probe], sandboxed: [given.folder] })
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
