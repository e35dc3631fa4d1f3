import { type AgentProfile, type Caller, type Host, SystemConfigs } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** What holds for one agent, in model tokens. */
export interface Limits {
  window: number
  /** A request that takes more is to be made shorter. */
  limitTokens: number
  /** Fewer messages are left alone. */
  minMessages: number
  keepMessages: number
  summaryTokens: number
  /** Who summarizes; empty: whom the run asks. */
  provider: string
  model: string
}

/** The agent's `compaction_config`, else the tenant's settings under `compaction.`, else the gateway's. Sources: wire contract, http-core 5 and 8. */
export function createLimits(host: Host<typeof manifest>) {
  const settings = host.use(SystemConfigs)
  return async function limitsOf(
    caller: Caller,
    { contextWindow: window, compactionConfig: own, maxTokens }: Pick<AgentProfile, "contextWindow" | "compactionConfig" | "maxTokens">,
  ): Promise<Limits> {
    const ours = host.has(SystemConfigs, caller) ? await settings.section(caller, "compaction") : {}
    const reserve = positive(own.reserveTokensFloor) ?? Math.max(host.config.reserveTokens, maxTokens)
    const most = thresholdOf(own.maxHistoryShare, window) ?? thresholdOf(ours.threshold, window) ?? host.config.historyShare * window
    return {
      window,
      limitTokens: Math.floor(Math.min(most, window - Math.min(reserve, window / 4))),
      minMessages: positive(own.minMessages) ?? 0,
      keepMessages: positive(own.keepLastMessages) ?? positive(ours.keep_recent) ?? host.config.keepMessages,
      summaryTokens: positive(ours.max_tokens) ?? host.config.summaryTokens,
      provider: ours.provider ?? "",
      model: ours.model ?? "",
    }
  }
}

/** What clients store there is anything at all. */
function positive(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) && number >= 1 ? Math.floor(number) : undefined
}

/** A share of the window, a percentage of it, or tokens: clients write all three. */
function thresholdOf(value: unknown, window: number): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  if (typeof number !== "number" || !(number > 0)) return undefined
  if (number <= 1) return number * window
  return Math.min(number <= 100 ? (number / 100) * window : number, window)
}
