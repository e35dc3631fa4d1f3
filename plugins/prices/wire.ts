import { nanoUsdOf, type Price, type Rates, usdOf } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { PriceRow, Written } from "./store.ts"
import type { Listed } from "./table.ts"

const perMillion = "USD for a million tokens"
const Usd = (description: string) => Type.Number({ minimum: 0, maximum: 1_000_000, description: `${perMillion}${description}.` })
const rates = { input_usd: Usd(" of input"), output_usd: Usd(" of output") }
const parts = {
  cached_input_usd: Usd(" of input that came from a cache; as input when left out"),
  cache_write_usd: Usd(" of input that was written to a cache; as input when left out"),
  reasoning_usd: Usd(" of thinking; as output when left out"),
}
const optional = {
  cached_input_usd: Type.Optional(Type.Union([parts.cached_input_usd, Type.Null()])),
  cache_write_usd: Type.Optional(Type.Union([parts.cache_write_usd, Type.Null()])),
  reasoning_usd: Type.Optional(Type.Union([parts.reasoning_usd, Type.Null()])),
  note: Type.Optional(Type.String({ maxLength: 500 })),
}
const Provider = Type.String({ maxLength: 100, description: "Name of a provider of the tenant; at each of them when empty." })
const Model = Type.String({ minLength: 1, maxLength: 255, description: "As the provider names it. It holds for the same model with a day behind its name, too." })

export const NewPrice = Type.Object({ provider: Type.Optional(Provider), model: Model, ...rates, ...optional })
export const PriceChange = Type.Object({
  provider: Type.Optional(Provider),
  model: Type.Optional(Model),
  input_usd: Type.Optional(rates.input_usd),
  output_usd: Type.Optional(rates.output_usd),
  ...optional,
})

const WireRates = { ...rates, ...parts }
/** One price, whoever says it. */
export const WirePrice = Type.Object({
  id: Type.Union([Type.String(), Type.Null()], { description: "Null for one that came with the gateway." }),
  own: Type.Boolean({ description: "The tenant says so." }),
  provider: Type.String({ description: "A provider of the tenant, or the maker whose price it is; empty: at each provider." }),
  model: Type.String(),
  ...WireRates,
  long: Type.Optional(Type.Object({ above_tokens: Type.Integer({ description: "For requests with more input than that." }), ...WireRates })),
  source: Type.String({ description: "The page that it was read from; empty for the tenant's own." }),
  as_of: Type.String({ description: "The day on which it was read there, or the tenant said so." }),
  note: Type.Optional(Type.String()),
})
type WirePrice = Static<typeof WirePrice>

function wireRates({ input, output, cachedInput, cacheWrite, reasoning }: Rates) {
  return {
    input_usd: usdOf(input),
    output_usd: usdOf(output),
    cached_input_usd: usdOf(cachedInput),
    cache_write_usd: usdOf(cacheWrite),
    reasoning_usd: usdOf(reasoning),
  }
}

export function wirePrice(price: Price) {
  const { long } = price
  return { ...wireRates(price), ...(long && { long: { above_tokens: long.aboveTokens, ...wireRates(long) } }) }
}

export function wireListed({ maker, model, price, source, asOf }: Listed): WirePrice {
  return { id: null, own: false, provider: maker, model, ...wirePrice(price), source, as_of: asOf }
}

export function wireOwn(row: PriceRow): WirePrice {
  const { id, provider, model, note, updated_at } = row
  return { id, own: true, provider, model, ...wirePrice(ratesOf(row)), source: "", as_of: updated_at.slice(0, 10), ...(note !== "" && { note }) }
}

export function ratesOf({ input, output, cached_input, cache_write, reasoning }: PriceRow): Rates {
  return { input, output, cachedInput: cached_input ?? input, cacheWrite: cache_write ?? input, reasoning: reasoning ?? output }
}

/** What is left out stays; null goes back to the price of the whole. */
export function written(change: Static<typeof PriceChange>, before?: PriceRow): Written {
  const nano = (usd: number | null | undefined, present: number | null = null) => (usd === undefined ? present : usd === null ? null : nanoUsdOf(usd))
  return {
    provider: change.provider?.trim() ?? before?.provider ?? "",
    model: change.model?.trim() ?? before?.model ?? "",
    input: nano(change.input_usd, before?.input) ?? 0,
    output: nano(change.output_usd, before?.output) ?? 0,
    cached_input: nano(change.cached_input_usd, before?.cached_input),
    cache_write: nano(change.cache_write_usd, before?.cache_write),
    reasoning: nano(change.reasoning_usd, before?.reasoning),
    note: change.note ?? before?.note ?? "",
  }
}
