import type { CacheOptions, Caller, TenantCache } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { atMost } from "../at-most.ts"
import type { EventBus } from "../events.ts"
import { encryptionChanged } from "../key-ring.ts"

/** One load for all who wait; an invalidation during a load makes its result serve those who wait, and be forgotten. */
export function createTenantCache<V>(options: CacheOptions<V>, bus: EventBus, undo: (() => void)[] = []): TenantCache<V> {
  const entries = new LRUCache<string, { value: V }>({ ...atMost(options.max), ttl: options.ttlMs })
  const loading = new Map<string, { value: Promise<V>; stale: boolean }>()
  for (const event of options.changedBy) {
    const forget = ({ tenantId }: { tenantId: string | null }) => {
      const prefix = `${tenantId}\n`
      for (const [slot, load] of loading) {
        if (!slot.startsWith(prefix)) continue
        load.stale = true
        loading.delete(slot)
      }
      for (const slot of entries.keys()) if (slot.startsWith(prefix)) entries.delete(slot)
    }
    undo.push(bus.subscribe(event, forget))
  }
  // What it holds may be sealed with a key that goes.
  undo.push(bus.subscribe(encryptionChanged, () => entries.clear()))
  function load(caller: Caller, key: string, slot: string): Promise<V> {
    const entry = { value: options.load(caller, key), stale: false }
    loading.set(slot, entry)
    return entry.value
      .then((value) => {
        if (!entry.stale) entries.set(slot, { value })
        return value
      })
      .finally(() => {
        if (loading.get(slot) === entry) loading.delete(slot)
      })
  }
  return {
    get(caller, key) {
      const slot = `${caller.tenantId}\n${key}`
      const known = entries.get(slot)
      if (known) return Promise.resolve(known.value)
      return loading.get(slot)?.value ?? load(caller, key, slot)
    },
  }
}
