import type { Caller } from "../caller.ts"
import type { Delta, LlmRequest } from "../points/provider.ts"
import { service } from "../tokens.ts"

/** LLM providers of a tenant, called by name. */
export interface ProvidersService {
  /** The first enabled provider (oldest; one with a key before an offline one) and its default model; null when the tenant has none. */
  fallback(caller: Caller): Promise<{ provider: string; model: string } | null>
  /** The default model of a named provider; null for an unknown or disabled one. */
  defaultModel(caller: Caller, provider: string): Promise<string | null>
  /** One answer of a named provider. Rejects with `providers.unknown`, `providers.disabled`, or a provider error. Leaving the loop or the signal ends the upstream call. */
  chat(caller: Caller, provider: string, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]>
}
export const Providers = service<ProvidersService>("providers", "1.0.0")
