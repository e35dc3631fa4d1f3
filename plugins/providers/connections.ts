import type { Caller, Host, PointUsers, ProviderConnection, ProviderType } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { KeyRing } from "./key-ring.ts"
import { openKeys } from "./keys.ts"
import type { manifest } from "./manifest.ts"
import { Places } from "./places.ts"
import { type Routing, routingOf } from "./routing-settings.ts"
import { findProvider, type ProviderRow } from "./store.ts"

interface Known {
  row: ProviderRow
  /** Clear text. */
  keys: readonly string[]
  routing: Routing
}

/** A provider that may be asked. */
export interface Target {
  row: ProviderRow
  type: ProviderType
  keys: KeyRing
  places: Places
  routing: Routing
  defaultModel: string
}

/** Providers by name, with all that a call needs of them. A warm call touches neither the database nor the seal. Types are looked up each time, for they come and go. */
export function createConnections(host: Host<typeof manifest>, types: PointUsers<ProviderType>) {
  const known = host.cache<Known | null>({
    ttlMs: 300_000,
    changedBy: ["providers.changed"],
    max: 5_000,
    async load(caller, name) {
      const row = await findProvider(host.db.for(caller), name)
      return row && { row, keys: await keysOf(caller, row), routing: routingOf(host.config, row.settings) }
    },
  })
  /** What outlives a look into the database: who is being served, and, until the provider is changed, which keys rest. */
  const standing = new LRUCache<string, { places: Places; keys: KeyRing; version: string }>({ max: 10_000 })

  async function keysOf(caller: Caller, row: ProviderRow): Promise<string[]> {
    if (row.api_key === null) return [""]
    try {
      return await openKeys(host.secrets, caller, row.id, row.api_key)
    } catch (error) {
      throw host.fail("unreadable_key", { provider: row.name }, { cause: error })
    }
  }

  function typeOf(caller: Caller, row: ProviderRow): ProviderType {
    const type = types.get(row.provider_type, caller)
    if (!type) throw host.fail("type_missing", { provider: row.name, type: row.provider_type })
    return type
  }

  function standingOf({ row, keys }: Known) {
    const present = standing.get(row.id)
    if (present?.version === row.updated_at) return present
    const next = { places: present?.places ?? new Places(), keys: new KeyRing(keys), version: row.updated_at }
    standing.set(row.id, next)
    return next
  }

  return {
    keysOf,
    typeOf,
    find: (caller: Caller, provider: string) => known.get(caller, provider),
    /** The provider that a call means, if it may be asked. */
    async demand(caller: Caller, provider: string): Promise<Target> {
      const found = await known.get(caller, provider)
      if (!found) throw host.fail("unknown_provider", { provider: provider.slice(0, 100) })
      const { row, routing } = found
      if (!row.enabled) throw host.fail("provider_disabled", { provider })
      const type = typeOf(caller, row)
      const { places, keys } = standingOf(found)
      return { row, type, keys, places, routing, defaultModel: defaultModelOf(row, type) }
    },
  }
}
export type Connections = ReturnType<typeof createConnections>

export function connectionTo(row: ProviderRow, type: ProviderType, apiKey: string): ProviderConnection {
  return { name: row.name, baseUrl: row.api_base ?? type.defaultBaseUrl, apiKey, settings: row.settings }
}

export function defaultModelOf(row: ProviderRow, type: ProviderType): string {
  const { default_model: own } = row.settings as { default_model?: unknown }
  return typeof own === "string" && own !== "" ? own : type.defaultModel
}
