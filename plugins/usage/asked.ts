import type { Range } from "./period.ts"
import type { Dimension, Scope } from "./reports.ts"

export const units = ["hour", "day", "week"] as const
export const dimensions: readonly Dimension[] = ["provider", "model", "channel", "agent", "day"]

/** The first one where something else is asked for. */
export const oneOf = <T extends string>(values: readonly T[], asked: string | undefined): T => values.find((value) => value === asked) ?? (values[0] as T)

/** What is empty does not narrow. */
export function scopeOf(range: Range, { agent_id, provider, model, channel }: { agent_id?: string; provider?: string; model?: string; channel?: string }): Scope {
  return { ...range, agent: agent_id || null, provider: provider || null, model: model || null, channel: channel || null }
}
