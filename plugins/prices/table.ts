import { readFileSync } from "node:fs"
import { nanoUsdOf, type Price, type Rates } from "@plugboard/sdk"

/** USD for a million tokens, as makers write it. */
type Written = Pick<Rates, "input" | "output"> & Partial<Rates>
interface Entry {
  maker: string
  model: string
  names?: string[]
  pattern?: string
  /** In the order of their days; without one: from the beginning. */
  rates: (Written & { since?: string; long?: Written & { aboveTokens: number } })[]
}
interface Maker {
  maker: string
  name: string
  source: string
  address: string
}
interface Table {
  about: { asOf: string }
  makers: Maker[]
  models: Entry[]
}

/** A line of the table. */
export interface Listed {
  maker: string
  model: string
  price: Price
  source: string
  asOf: string
}

/** Those whose models are sold by others, under the same names, at about the same price. */
const firstHand = ["openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere"]
/** A day behind a model's name, or the word for the newest, says nothing of its price. */
const suffix = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$/

/** The prices that came with the gateway, found by a provider's address and a model's name; by the name alone at an address that is no maker's. See `.ci/price-table.ts`. */
export class PriceTable {
  readonly #table = JSON.parse(readFileSync(new URL("./table.json", import.meta.url), "utf8")) as Table
  readonly #addresses = this.#table.makers.map(({ maker, address }) => ({ maker, pattern: new RegExp(`^(?:${address})`) }))
  readonly #shelves = new Map([...Map.groupBy(this.#table.models, ({ maker }) => maker)].map(([maker, entries]) => [maker, new Shelf(entries)]))

  find(address: string, model: string, day: string): Listed | null {
    const maker = this.#addresses.find(({ pattern }) => pattern.test(address))?.maker
    for (const name of spellings(model)) {
      for (const shelf of maker === undefined ? firstHand : [maker]) {
        const entry = this.#shelves.get(shelf)?.find(name)
        if (entry) return this.#listed(entry, day)
      }
    }
    return null
  }

  all(day: string): Listed[] {
    return this.#table.models.map((entry) => this.#listed(entry, day))
  }

  #listed({ maker, model, rates }: Entry, day: string): Listed {
    const now = rates.findLast(({ since = "" }) => since <= day) ?? (rates[0] as Entry["rates"][number])
    const { source } = this.#table.makers.find((one) => one.maker === maker) as Maker
    return { maker, model, price: priceOf(now), source, asOf: this.#table.about.asOf }
  }
}

/** One maker's models. */
class Shelf {
  readonly #byName = new Map<string, Entry>()
  readonly #patterns: { pattern: RegExp; entry: Entry }[] = []

  constructor(entries: readonly Entry[]) {
    // The longer a model's own name, the narrower its pattern.
    for (const entry of entries.toSorted((a, b) => b.model.length - a.model.length)) {
      for (const name of [entry.model, ...(entry.names ?? [])]) if (!this.#byName.has(name)) this.#byName.set(name, entry)
      if (entry.pattern !== undefined) this.#patterns.push({ pattern: new RegExp(entry.pattern), entry })
    }
  }

  find(name: string): Entry | undefined {
    return this.#byName.get(name) ?? this.#patterns.find(({ pattern }) => pattern.test(name))?.entry
  }
}

/** As it is; without the maker before it (`anthropic/claude-…`, `models/gemini-…`); each also without a day behind it, and then with a dot in its version (`4-5` is `4.5` elsewhere). */
export function spellings(model: string): string[] {
  const bare = model.slice(model.lastIndexOf("/") + 1)
  const [dayless, bareDayless] = [model.replace(suffix, ""), bare.replace(suffix, "")]
  return [...new Set([model, dayless, bare, bareDayless, dotted(dayless), dotted(bareDayless)])]
}

function dotted(model: string): string {
  return model.replace(/(?<=-\d)-(?=\d(?!\d))/, ".")
}

/** A part without a price of its own costs what its whole does. */
function wholeRates({ input, output, cachedInput = input, cacheWrite = input, reasoning = output }: Written): Rates {
  return { input, output, cachedInput, cacheWrite, reasoning }
}

function priceOf({ long, ...rates }: Entry["rates"][number]): Price {
  return { ...inNano(rates), ...(long && { long: { aboveTokens: long.aboveTokens, ...inNano(long) } }) }
}

function inNano(written: Written): Rates {
  const { input, output, cachedInput, cacheWrite, reasoning } = wholeRates(written)
  return { input: nanoUsdOf(input), output: nanoUsdOf(output), cachedInput: nanoUsdOf(cachedInput), cacheWrite: nanoUsdOf(cacheWrite), reasoning: nanoUsdOf(reasoning) }
}
