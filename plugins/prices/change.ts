import { randomUUIDv7 } from "node:crypto"
import type { Caller, Host, Tx } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { manifest } from "./manifest.ts"
import { countPrices, deletePrice, findPrice, insertPrice, mostPrices, type PriceRow, updatePrice } from "./store.ts"
import { type NewPrice, type PriceChange, written } from "./wire.ts"

/** Writes to a tenant's own prices. What has ended keeps the cost that it had. */
export function createChanges(host: Host<typeof manifest>) {
  const told = (tx: Tx, action: string, { id, ...price }: PriceRow) => {
    const { provider, model, input, output } = price
    tx.audit({ action, entityType: "price", entityId: id, details: { provider, model, input_nano_usd: input, output_nano_usd: output } })
    tx.publish("prices.changed", {})
  }
  const taken = ({ provider, model }: { provider: string; model: string }) => host.fail("price_taken", { model: provider === "" ? model : `${provider}/${model}` })

  async function demand(caller: Caller, id: string): Promise<PriceRow> {
    const price = await findPrice(host.db.for(caller), id)
    if (!price) throw host.fail("unknown_price", { price: id.slice(0, 100) })
    return price
  }

  return {
    demand,
    create(caller: Caller, given: Static<typeof NewPrice>): Promise<PriceRow> {
      return host.db.for(caller).transaction(async (tx) => {
        const price = written(given)
        if (price.model === "") throw host.fail("no_model", {})
        if ((await countPrices(tx)) >= mostPrices) throw host.fail("too_many_prices", { most: mostPrices })
        const made = await insertPrice(tx, randomUUIDv7(), price)
        if (!made) throw taken(price)
        told(tx, "price.created", made)
        return made
      })
    },
    async update(caller: Caller, id: string, change: Static<typeof PriceChange>): Promise<PriceRow> {
      const price = written(change, await demand(caller, id))
      if (price.model === "") throw host.fail("no_model", {})
      return host.db.for(caller).transaction(async (tx) => {
        const changed = await updatePrice(tx, id, price)
        if (!changed) throw (await findPrice(tx, id)) ? taken(price) : host.fail("unknown_price", { price: id })
        told(tx, "price.updated", changed)
        return changed
      })
    },
    async remove(caller: Caller, id: string): Promise<void> {
      const price = await demand(caller, id)
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await deletePrice(tx, id))) throw host.fail("unknown_price", { price: id })
        told(tx, "price.deleted", price)
      })
    },
  }
}
