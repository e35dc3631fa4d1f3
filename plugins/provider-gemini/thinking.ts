import type { ThinkingConfig, ThinkingLevel } from "@google/genai/web"
import type { Effort, ModelMessage, ProviderState } from "@plugboard/sdk"

/** A signature of the model's thoughts, on a call (by its place among the calls) or on the text up to there. The API wants it back in the same place. */
export type KeptSignature = { signature: string } & ({ call: number } | { characters: number })

const type = "gemini_native"

export function stateOf(kept: KeptSignature): ProviderState {
  return { type, data: kept }
}

export function keptIn({ state }: ModelMessage): readonly KeptSignature[] {
  return (state ?? []).filter((one) => one.type === type).map(({ data }) => data as KeptSignature)
}

/** `gemini-2.5-pro` is 2.5. */
export function versionOf(model: string): number {
  return Number(/gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1] ?? 0)
}

const budgets: Readonly<Record<Effort, number>> = { none: 0, minimal: 512, low: 2_048, medium: 8_192, high: 24_576, xhigh: 24_576 }
const levels = { none: "MINIMAL", minimal: "MINIMAL", low: "LOW", medium: "MEDIUM", high: "HIGH", xhigh: "HIGH" } as const

/** From Gemini 3 on a model is told a level, 2.5 a number of tokens; older ones do not think. The large ones cannot be kept from thinking. Source: the public guide, "Gemini thinking". */
export function thinkingOf(model: string, effort: Effort | undefined): ThinkingConfig | undefined {
  const version = versionOf(model)
  if (effort === undefined || version < 2.5) return undefined
  const large = /-pro\b/.test(model)
  const includeThoughts = effort !== "none"
  if (version < 3) return { includeThoughts, thinkingBudget: large ? Math.max(budgets[effort], 128) : budgets[effort] }
  const level = large && levels[effort] === "MINIMAL" ? "LOW" : levels[effort]
  return { includeThoughts, thinkingLevel: level as ThinkingLevel }
}
