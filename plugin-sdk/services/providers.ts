import type { Caller } from "../caller.ts"
import type { ForwardCall, ForwardPart } from "../points/forward.ts"
import type { Delta, LlmRequest, ModelInfo } from "../points/provider.ts"
import { service } from "../tokens.ts"
import type { AttemptReport, Route } from "./routes.ts"

/**
 * LLM providers of a tenant, called by name. A call is tried again, with other keys and at other providers, as the settings say, while nothing of an answer has been handed on:
 * an answer is one provider's from its first token to its last.
 */
export interface ProvidersService {
  /** What the tenant's settings name (`agent.default_provider`, `agent.default_model`); else the first enabled provider (oldest; one with a key before an offline one) and its default model. Null when the tenant has none. */
  fallback(caller: Caller): Promise<{ provider: string; model: string } | null>
  /** The default model of a named provider; null for an unknown or disabled one. */
  defaultModel(caller: Caller, provider: string): Promise<string | null>
  /** What a named provider can be asked for; null for one that the tenant does not have. */
  facts(caller: Caller, provider: string): Promise<ProviderFacts | null>
  /** Models of the enabled providers, cached. A provider that fails to list them, or takes long, has none for now. */
  models(caller: Caller): Promise<ProviderModels[]>
  /** One answer. Rejects with the provider's failure; with `providers.no_answer` when several were tried. Leaving the loop or the signal ends the upstream call, and all waiting. */
  chat(caller: Caller, provider: string, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]>
  /** As `chat`, telling what is tried: a report for each attempt that failed, one without an error for the one that answers, then its deltas (see `deltasOf`). */
  answer(caller: Caller, route: Route, request: LlmRequest, signal: AbortSignal): AsyncIterable<AttemptReport | readonly Delta[]>
  /** A call in OpenAI's format, to a provider that speaks it (`facts`), with reports as `answer` has them. A refusal comes as its head and body; rejects where there is none. */
  forward(caller: Caller, route: Route, call: ForwardCall, signal: AbortSignal): AsyncIterable<AttemptReport | ForwardPart>
  /** A vector for each text, from a provider that makes them (`facts`). */
  embed(caller: Caller, provider: string, model: string, texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>
}

export interface ProviderFacts {
  enabled: boolean
  /** It speaks OpenAI's format. */
  forwards: boolean
  embeds: boolean
  /** Where it listens; empty for one that calls nobody. */
  baseUrl: string
  /** It works without a key and has none: nobody bills its calls. */
  isLocal: boolean
}
export interface ProviderModels {
  provider: string
  models: readonly ModelInfo[]
}
export const Providers = service<ProvidersService>("providers", "1.0.0")
