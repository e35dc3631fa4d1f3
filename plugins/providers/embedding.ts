import { type Caller, type Host, type PointUsers, type ProviderType, SystemConfigs } from "@plugboard/sdk"
import type { Calls } from "./calls.ts"
import type { manifest } from "./manifest.ts"
import { enabledProviders, type ProviderRow } from "./store.ts"

/** Where neither settings nor the request name one. Source: wire contract, http-core 6. */
const usualModel = "text-embedding-3-small"

interface EmbeddingSettings {
  enabled?: boolean
  model?: string
}

/** Which of the tenant's providers makes vectors, and whether one of them really does. */
export function createEmbedding(host: Host<typeof manifest>, types: PointUsers<ProviderType>, calls: Calls) {
  return {
    /** The one that the tenant's settings name; else the first that can, where one says in its own settings that it is for this before others. */
    async status(caller: Caller) {
      const named = host.has(SystemConfigs) ? await host.use(SystemConfigs).section(caller, "embedding") : {}
      const able = (await enabledProviders(host.db.for(caller))).filter(({ provider_type }) => types.get(provider_type, caller)?.embed)
      const row = able.find(({ name }) => name === named.provider) ?? able.find((one) => settingsOf(one).enabled) ?? able[0]
      if (!row) return { configured: false }
      return { configured: true, provider: row.provider_type, provider_name: row.name, model: named.model || modelOf(row) }
    },
    /** One text is embedded. What goes wrong is a verdict, as in `verify`. */
    async verify(caller: Caller, row: ProviderRow, input: { model?: string; dimensions?: number }) {
      if (!row.enabled) return { valid: false, error: `provider ${row.name} is disabled` }
      const outcome = await calls.embedOne(caller, row, input.model || modelOf(row))
      if ("reason" in outcome) return { valid: false, error: outcome.reason }
      const dimensions = outcome.answer.length
      return { valid: true, dimensions, ...(input.dimensions && input.dimensions !== dimensions && { dimension_mismatch: true }) }
    },
  }
}

function settingsOf({ settings }: ProviderRow): EmbeddingSettings {
  return (settings as { embedding?: EmbeddingSettings }).embedding ?? {}
}

function modelOf(row: ProviderRow): string {
  return settingsOf(row).model || usualModel
}
