import type { RedactedThinkingBlockParam, ThinkingBlockParam } from "@anthropic-ai/sdk/resources/messages"
import type { Effort, ModelMessage, ProviderState } from "@plugboard/sdk"

/** A block of thinking, and how much of the message came before it. The API takes blocks back only as they were, signature and place included. */
export interface KeptThinking {
  block: ThinkingBlockParam | RedactedThinkingBlockParam
  characters: number
  calls: number
}

const type = "anthropic_native"

export function stateOf(kept: KeptThinking): ProviderState {
  return { type, data: kept }
}

export function keptIn({ state }: ModelMessage): readonly KeptThinking[] {
  return (state ?? []).filter((one) => one.type === type).map(({ data }) => data as KeptThinking)
}

/** Tokens of thinking, for models that are told a number. The API's least is 1,024. */
const budgets: Readonly<Record<Exclude<Effort, "none">, number>> = { minimal: 1_024, low: 2_048, medium: 8_192, high: 16_384, xhigh: 32_768 }

interface Thinking {
  thinking?: { type: "enabled"; budget_tokens: number } | { type: "adaptive"; display: "summarized" } | { type: "disabled" }
  output_config?: { effort: "low" | "medium" | "high" | "xhigh" }
  /** Counts as output, so it comes on top of what the answer may have. */
  budget: number
}

/** Nothing for a model that is to do as it is used to; older ones do not think unless they are told to. From Claude 4.6 on a model is told an effort and finds its own measure; older ones are told a number of tokens. */
export function thinkingOf(model: string, effort: Effort | undefined): Thinking {
  if (effort === undefined) return { budget: 0 }
  if (effort === "none") return findsItsMeasure(model) ? { thinking: { type: "disabled" }, budget: 0 } : { budget: 0 }
  if (!findsItsMeasure(model)) return { thinking: { type: "enabled", budget_tokens: budgets[effort] }, budget: budgets[effort] }
  return { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: effort === "minimal" ? "low" : effort }, budget: 0 }
}

/** `claude-opus-4-6`, `claude-sonnet-5`; a date behind the name is no version. */
function findsItsMeasure(model: string): boolean {
  const [, major = "0", minor = "0"] = /-(\d{1,2})(?:[-.](\d{1,2}))?(?=[-@:]|$)/.exec(model) ?? []
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 6)
}
