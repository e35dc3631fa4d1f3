import type { Caller } from "../caller.ts"
import type { Usage } from "../points/provider.ts"
import { service } from "../tokens.ts"

/** In nano-USD (10^-9 USD) for a million tokens: integers, so that sums of them are exact. */
export interface Rates {
  input: number
  output: number
  /** Of the input: what was read from a cache, and what was written to one. */
  cachedInput: number
  cacheWrite: number
  /** Of the output: its thinking. */
  reasoning: number
}

/** What a model of a provider costs now. */
export interface Price extends Rates {
  /** For requests with more input than that: all of it, and the output, costs more. */
  long?: Rates & { aboveTokens: number }
}

/** What one request to a provider used. */
export interface Spent {
  provider: string
  model: string
  usage: Usage
}

export interface PricesService {
  /** By the provider's name in the tenant. Null: nobody knows what it costs. A provider that runs here costs nothing. */
  of(caller: Caller, provider: string, model: string): Promise<Price | null>
  /** What requests cost together, in nano-USD, each rounded by itself. Null when one of them used tokens of a model without a price; what used nothing costs nothing. */
  cost(caller: Caller, spent: readonly Spent[]): Promise<number | null>
}
export const Prices = service<PricesService>("prices", "1.0.0")
