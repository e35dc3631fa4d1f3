import type { ModelMessage, Usage } from "../points/provider.ts"

export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    ...((a.savedTokens || b.savedTokens) && { savedTokens: (a.savedTokens ?? 0) + (b.savedTokens ?? 0) }),
    ...((a.estimated || b.estimated) && { estimated: true }),
  }
}

/** Of an answer that was kept: nothing is spent, and this is what that saves. */
export function savedUsage({ promptTokens, completionTokens }: Usage): Usage {
  return { ...noUsage, savedTokens: promptTokens + completionTokens }
}

/** For a provider that did not report, as when its stream broke: it bills what it sent all the same. Four characters a token is the rule of thumb that providers give. */
export function estimateUsage(messages: readonly ModelMessage[], said: number): Usage {
  const asked = messages.reduce(
    (sum, { content }) => sum + (typeof content === "string" ? content.length : content.reduce((size, part) => size + (part.type === "text" ? part.text.length : 1_000), 0)),
    0,
  )
  return { ...noUsage, promptTokens: Math.ceil(asked / 4), completionTokens: Math.ceil(said / 4), estimated: true }
}
