import { deepEqual, equal } from "node:assert/strict"
import type { Caller } from "@plugboard/sdk"
import { EventBus } from "../events.ts"
import { createTenantCache } from "./tenant-cache.ts"

const of = (tenantId: string) => ({ tenantId }) as Caller

describe("tenant cache", () => {
  const bus = new EventBus(() => undefined)
  const change = (tenantId: string) => bus.publish({ name: "things.changed", payload: {}, tenantId })

  it("loads once for all who wait, per tenant", async () => {
    const loads: string[] = []
    const cache = createTenantCache({ max: 10, ttlMs: 60_000, changedBy: [], load: async ({ tenantId }, key) => loads.push(`${tenantId}/${key}`) }, bus)
    await Promise.all([cache.get(of("a"), "x"), cache.get(of("a"), "x"), cache.get(of("b"), "x")])
    deepEqual(loads, ["a/x", "b/x"])
  })

  it("forgets one tenant's entries when they change", async () => {
    let loads = 0
    const cache = createTenantCache({ max: 10, ttlMs: 60_000, changedBy: ["things.changed"], load: async () => ++loads }, bus)
    await cache.get(of("a"), "x")
    change("b")
    equal(await cache.get(of("a"), "x"), 1)
    change("a")
    equal(await cache.get(of("a"), "x"), 2)
  })

  it("does not keep what was loaded before a change", async () => {
    let release: (value: string) => void = () => undefined
    let loads = 0
    const cache = createTenantCache(
      { max: 10, ttlMs: 60_000, changedBy: ["things.changed"], load: () => (++loads === 1 ? new Promise<string>((resolve) => (release = resolve)) : Promise.resolve("new")) },
      bus,
    )
    const early = cache.get(of("a"), "x")
    change("a")
    const late = cache.get(of("a"), "x")
    release("old")
    equal(await early, "old")
    equal(await late, "new")
    equal(await cache.get(of("a"), "x"), "new")
    equal(loads, 2)
  })

  it("keeps nothing of a load that failed", async () => {
    let loads = 0
    const cache = createTenantCache<number>(
      { max: 10, ttlMs: 60_000, changedBy: [], load: () => (++loads === 1 ? Promise.reject(new Error("down")) : Promise.resolve(loads)) },
      bus,
    )
    await cache.get(of("a"), "x").catch(() => undefined)
    equal(await cache.get(of("a"), "x"), 2)
  })
})
