import { type Caller, definePlugin, Prices, pageOf } from "@plugboard/sdk"
import { createChanges } from "./change.ts"
import { createLookUp, today } from "./look-up.ts"
import { manifest } from "./manifest.ts"
import { ownPrices } from "./store.ts"
import { wireListed, wireOwn, wirePrice } from "./wire.ts"

interface Filter {
  provider?: string
  model?: string
}

export default definePlugin(manifest, (host) => {
  const changes = createChanges(host)
  const { service, find, table } = createLookUp(host)
  host.offer(Prices, service)

  async function list(caller: Caller, filter: Filter, onlyOwn: boolean, page: { limit: number; offset: number }) {
    const own = (await ownPrices(host.db.for(caller))).map(wireOwn)
    const all = onlyOwn ? own : [...own, ...table().all(today()).map(wireListed)]
    const fitting = all.filter(({ provider, model }) => (!filter.provider || provider === filter.provider) && (!filter.model || model.includes(filter.model)))
    return { prices: fitting.slice(page.offset, page.offset + page.limit), total: fitting.length, ...page }
  }

  async function of(caller: Caller, provider: string, model: string) {
    const found = await find(caller, provider, model)
    if (found === null) return { by: "nobody" as const, price: null }
    if (found.by === "own") return { by: found.by, price: wireOwn(found.row) }
    if (found.by === "table") return { by: found.by, price: wireListed(found.listed) }
    const price = await service.of(caller, provider, model)
    return { by: found.by, price: price && { id: null, own: false, provider, model, ...wirePrice(price), source: "", as_of: today() } }
  }

  async function remove(caller: Caller, id: string) {
    await changes.remove(caller, id)
    return { status: "deleted" as const }
  }

  return {
    routes: {
      list: ({ query, caller }) => list(caller, query, query.own === "true", pageOf(query, 1_000, 100)),
      of: ({ query, caller }) => of(caller, query.provider, query.model),
      create: async ({ body, caller }) => wireOwn(await changes.create(caller, body)),
      get: async ({ params, caller }) => wireOwn(await changes.demand(caller, params.id)),
      update: async ({ params, body, caller }) => wireOwn(await changes.update(caller, params.id, body)),
      remove: ({ params, caller }) => remove(caller, params.id),
    },
    rpc: {
      "prices.list": ({ own, limit, offset, ...filter }, { caller }) =>
        list(caller, filter, own === true, pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 1_000, 100)),
      "prices.of": ({ provider, model }, { caller }) => of(caller, provider, model),
      "prices.create": async (price, { caller }) => wireOwn(await changes.create(caller, price)),
      "prices.update": async ({ id, ...change }, { caller }) => wireOwn(await changes.update(caller, id, change)),
      "prices.delete": ({ id }, { caller }) => remove(caller, id),
    },
  }
})
