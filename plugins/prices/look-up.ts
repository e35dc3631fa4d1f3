import { type Caller, costOf, type Host, type Price, type PricesService, Providers, type Spent } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { ownPrices, type PriceRow } from "./store.ts"
import { type Listed, PriceTable, spellings } from "./table.ts"
import { ratesOf } from "./wire.ts"

/** Who says what a model costs: the tenant, the table, or the fact that it runs where nobody is paid. */
export type Found = { by: "own"; row: PriceRow } | { by: "table"; listed: Listed } | { by: "local" }

const free: Price = { input: 0, output: 0, cachedInput: 0, cacheWrite: 0, reasoning: 0 }

/** A table's line counts from its day on, which begins in UTC. */
export const today = () => new Date().toISOString().slice(0, 10)

/** Prices by provider and model. A warm look-up touches no database; a change counts from the next end of a run on, on every node. */
export function createLookUp(host: Host<typeof manifest>) {
  const providers = host.use(Providers)
  let loaded: PriceTable | undefined
  /** Read when it is first asked: a gateway that nobody asks does without it. */
  const table = () => (loaded ??= new PriceTable())
  const own = host.cache({
    max: 5_000,
    ttlMs: 300_000,
    changedBy: ["prices.changed"],
    load: async (caller) => new Map((await ownPrices(host.db.for(caller))).map((row) => [keyOf(row.provider, row.model), row])),
  })
  const known = host.cache<Found | null>({
    max: 20_000,
    // A table's line may come into force meanwhile.
    ttlMs: 300_000,
    changedBy: ["prices.changed", "providers.changed"],
    load: (caller, key) => search(caller, ...(key.split("\n") as [string, string])),
  })

  async function search(caller: Caller, provider: string, model: string): Promise<Found | null> {
    const rows = await own.get(caller, "")
    for (const name of rows.size === 0 ? [] : spellings(model)) {
      const row = rows.get(keyOf(provider, name)) ?? rows.get(keyOf("", name))
      if (row) return { by: "own", row }
    }
    const facts = await providers.facts(caller, provider)
    if (facts?.isLocal) return { by: "local" }
    const listed = table().find(facts?.baseUrl ?? "", model, today())
    return listed && { by: "table", listed }
  }

  const find = (caller: Caller, provider: string, model: string) => known.get(caller, keyOf(provider, model))

  async function of(caller: Caller, provider: string, model: string): Promise<Price | null> {
    const found = await find(caller, provider, model)
    if (found === null) return null
    return found.by === "own" ? ratesOf(found.row) : found.by === "table" ? found.listed.price : free
  }

  const service: PricesService = {
    of,
    async cost(caller: Caller, spent: readonly Spent[]) {
      let sum = 0
      for (const { provider, model, usage } of spent) {
        if (usage.promptTokens === 0 && usage.completionTokens === 0) continue
        const price = await of(caller, provider, model)
        if (price === null) return null
        sum += costOf(price, usage)
      }
      return sum
    },
  }
  return { service, find, table }
}

function keyOf(provider: string, model: string): string {
  return `${provider}\n${model}`
}
