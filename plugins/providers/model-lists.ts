import type { Caller, Host, ProviderModels } from "@plugboard/sdk"
import type { Calls } from "./calls.ts"
import type { manifest } from "./manifest.ts"
import { enabledProviders, findProvider } from "./store.ts"

/** One provider that hangs keeps a list of all no longer than this; what it answers later is in the next one. */
const patienceMs = 3_000

/** What providers offer, cached for a minute: also that one of them does not answer. */
export function createModelLists(host: Host<typeof manifest>, calls: Calls) {
  const lists = host.cache({
    max: 1_000,
    ttlMs: 60_000,
    changedBy: ["providers.changed"],
    async load(caller, id: string) {
      const row = await findProvider(host.db.for(caller), id)
      return row ? calls.models(caller, row) : { models: [], warning: "it is gone" }
    },
  })

  return {
    /** Of one provider, by id. */
    of: (caller: Caller, id: string) => lists.get(caller, id),
    /** Of the enabled ones, oldest first. */
    async all(caller: Caller): Promise<ProviderModels[]> {
      const rows = await enabledProviders(host.db.for(caller))
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<{ models: [] }>((resolve) => {
        timer = setTimeout(() => resolve({ models: [] }), patienceMs)
      })
      const answers = await Promise.all(rows.map((row) => Promise.race([lists.get(caller, row.id).catch(() => ({ models: [] })), late])))
      clearTimeout(timer)
      return rows.map((row, at) => ({ provider: row.name, models: answers[at]?.models ?? [] }))
    },
  }
}
