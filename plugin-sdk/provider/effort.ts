import type { Effort, LlmRequest, ProviderConnection } from "../points/provider.ts"

const efforts: ReadonlySet<string> = new Set<Effort>(["none", "minimal", "low", "medium", "high", "xhigh"])

/** A word of somebody's settings as an effort; undefined when it says nothing that is known. */
export function asEffort(word: unknown): Effort | undefined {
  if (word === "off") return "none"
  return typeof word === "string" && efforts.has(word) ? (word as Effort) : undefined
}

/** What the request asks for, else what the provider's settings say. Source: wire contract, http-core 6, `reasoning_defaults`. */
export function effortOf(request: LlmRequest, { settings }: ProviderConnection): Effort | undefined {
  if (request.effort !== undefined) return request.effort
  const { reasoning_defaults: defaults } = settings as { reasoning_defaults?: { effort?: unknown } | null }
  return asEffort(defaults?.effort)
}
