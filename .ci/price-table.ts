import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { findProvider, type MatchLogic, type ModelPrice } from "@pydantic/genai-prices"

/**
 * Writes plugins/prices/table.json out of the price lists that @pydantic/genai-prices (MIT) keeps, with what they were taken from: `npm run prices`.
 * To bring it up to date: raise the package's version, set `asOf` to the day of its release, and read the difference.
 */
const asOf = "2026-09-23"
const root = join(import.meta.dirname, "..")
const makers = [
  ...["openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere", "groq", "perplexity", "moonshotai", "minimax", "zai"],
  ...["openrouter", "together", "fireworks", "cerebras", "novita", "azure"],
]

interface Rates {
  input: number
  output: number
  cachedInput?: number
  cacheWrite?: number
  reasoning?: number
}

const known = makers.map((id) => {
  const maker = findProvider({ providerId: id })
  if (!maker) throw new Error(`no price list of ${id}`)
  return maker
})
const sources = known.map(({ id, name, pricing_urls: [source] = [], api_pattern: address }) => ({ maker: id, name, source, address }))
const models = known.flatMap((maker) =>
  maker.models.flatMap(({ id, match, prices }) => {
    const rates = datedRates(prices)
    return rates.length === 0 ? [] : [{ maker: maker.id, model: id, ...namesIn(match), rates }]
  }),
)

const { version } = JSON.parse(readFileSync(join(root, "node_modules/@pydantic/genai-prices/package.json"), "utf8")) as { version: string }
const about = { from: `@pydantic/genai-prices ${version}, MIT, Copyright (c) Pydantic Services Inc.`, asOf, unit: "USD for a million tokens" }
const lines = (rows: readonly object[]) => rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n")
writeFileSync(join(root, "plugins/prices/table.json"), `{"about":${JSON.stringify(about)},\n"makers":[\n${lines(sources)}\n],\n"models":[\n${lines(models)}\n]}\n`)

/** Rates from a day on; those of a time of day are the dearest of the day, since a cost that is told too low is the worse mistake. */
function datedRates(prices: ModelPrice | readonly { constraint?: object; prices: ModelPrice }[]): object[] {
  const dated = new Map<string, object[]>()
  let since = ""
  for (const { constraint = {}, prices: price } of Array.isArray(prices) ? prices : [{ prices: prices as ModelPrice }]) {
    if ("start_date" in constraint) since = String(constraint.start_date)
    const rates = ratesOf(price)
    if (rates) dated.set(since, [...(dated.get(since) ?? []), rates])
  }
  return [...dated].map(([day, [first, ...others]]) => ({
    ...(day && { since: day }),
    ...others.reduce((dearest, next) => (sizeOf(next) > sizeOf(dearest) ? next : dearest), first as object),
  }))
}

function sizeOf(rates: object): number {
  const { input, output } = rates as Rates
  return input + output
}

/** Null where tokens have no price. */
function ratesOf(price: ModelPrice): (Rates & { long?: Rates & { aboveTokens: number } }) | null {
  const base = plainRates(price, (value) => (typeof value === "object" ? value.base : value))
  if (!base) return null
  const above = Object.values(price).flatMap((value) => (typeof value === "object" ? value.tiers.map((tier) => tier.start) : []))
  if (above.length === 0) return base
  const start = Math.min(...above)
  const long = plainRates(price, (value) => (typeof value === "object" ? (value.tiers.find((tier) => tier.start === start)?.price ?? value.base) : value))
  return { ...base, ...(long && { long: { aboveTokens: start, ...long } }) }
}

function plainRates(price: ModelPrice, pick: (value: NonNullable<ModelPrice[string]>) => number): Rates | null {
  const of = (name: string) => (price[name] === undefined ? undefined : pick(price[name]))
  const [input, output] = [of("input_mtok"), of("output_mtok")]
  if (input === undefined && output === undefined) return null
  const rest = { cachedInput: of("cache_read_mtok"), cacheWrite: of("cache_write_mtok"), reasoning: of("output_reasoning_mtok") }
  return { input: input ?? 0, output: output ?? 0, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) }
}

/** Full names, and one pattern for all that is more than a name. */
function namesIn(match: MatchLogic): { names?: string[]; pattern?: string } {
  const parts = "or" in match ? match.or : [match]
  const names = parts.flatMap((part) => ("equals" in part ? [part.equals] : []))
  const patterns = parts.filter((part) => !("equals" in part)).map(patternOf)
  return { ...(names.length > 0 && { names }), ...(patterns.length > 0 && { pattern: patterns.join("|") }) }
}

function patternOf(match: MatchLogic): string {
  if ("or" in match) return `(?:${match.or.map(patternOf).join("|")})`
  if ("and" in match) return `^${match.and.map((part) => `(?=${"regex" in part || "starts_with" in part ? "" : ".*"}${patternOf(part).replace(/^\^/, "")})`).join("")}`
  if ("regex" in match) return match.regex
  if ("starts_with" in match) return `^${escaped(match.starts_with)}`
  if ("ends_with" in match) return `${escaped(match.ends_with)}$`
  return "equals" in match ? `^${escaped(match.equals)}$` : escaped(match.contains)
}

/** As people write it: RegExp.escape spells letters as numbers. */
function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")
}
