import type { CacheOptions, Caller, TenantCache } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import type { EventBus } from "../events.ts"

/** One load for all who wait; an invalidation during a load makes its result serve those who wait, and be forgotten. */
export function createTenantCache<V>(options: CacheOptions<V>, bus: EventBus): TenantCache<V> {
  const entries = new LRUCache<string, { value: V }>({ max: options.max, ttl: options.ttlMs })
  const loading = new Map<string, Promise<V>>()
  const generation = new Map<string, number>()
  for (const event of options.changedBy) {
    bus.subscribe(event, ({ tenantId }) => {
      const prefix = `${tenantId}\n`
      // Only tenants with a load under way need a new generation, so this map cannot grow with tenants seen.
      for (const key of loading.keys()) if (key.startsWith(prefix)) generation.set(key, (generation.get(key) ?? 0) + 1)
      for (const key of loading.keys()) if (key.startsWith(prefix)) loading.delete(key)
      for (const key of entries.keys()) if (key.startsWith(prefix)) entries.delete(key)
    })
  }
  async function load(caller: Caller, key: string, slot: string): Promise<V> {
    const before = generation.get(slot) ?? 0
    const work = options.load(caller, key)
    loading.set(slot, work)
    try {
      const value = await work
      if ((generation.get(slot) ?? 0) === before) entries.set(slot, { value })
      return value
    } finally {
      if (loading.get(slot) === work) loading.delete(slot)
      if (!loading.has(slot)) generation.delete(slot)
    }
  }
  return {
    get(caller, key) {
      const slot = `${caller.tenantId}\n${key}`
      const known = entries.get(slot)
      if (known) return Promise.resolve(known.value)
      return loading.get(slot) ?? load(caller, key, slot)
    },
  }
}
