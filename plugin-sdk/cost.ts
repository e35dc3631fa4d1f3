import type { Usage } from "./points/provider.ts"
import type { Price, Rates } from "./services/prices.ts"

/** What one request cost, in nano-USD, rounded to the nearest. Exact: more tokens than a number holds at these prices are no question of floating point. */
export function costOf(price: Price, usage: Usage): number {
  const rates: Rates = price.long && usage.promptTokens > price.long.aboveTokens ? price.long : price
  const { promptTokens, completionTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = usage
  // A provider that tells more of a part than of the whole is billed for the part.
  const plain = Math.max(promptTokens - cachedTokens - cacheWriteTokens, 0)
  const said = Math.max(completionTokens - reasoningTokens, 0)
  const parts: readonly (readonly [tokens: number, rate: number])[] = [
    [plain, rates.input],
    [cachedTokens, rates.cachedInput],
    [cacheWriteTokens, rates.cacheWrite],
    [said, rates.output],
    [reasoningTokens, rates.reasoning],
  ]
  const sum = parts.reduce((total, [tokens, rate]) => total + BigInt(tokens) * BigInt(rate), 0n)
  return Number((sum + 500_000n) / 1_000_000n)
}

/** For the wire, where money is decimal: nano-USD as USD. */
export function usdOf(nanoUsd: number): number {
  return nanoUsd / 1e9
}

/** The other way round; to the nearest nano-USD. */
export function nanoUsdOf(usd: number): number {
  return Math.round(usd * 1e9)
}
