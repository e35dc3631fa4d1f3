import type { ForwardCall, ForwardPart } from "../points/forward.ts"
import type { Delta, LlmRequest, ModelInfo, ProviderConnection, ProviderType } from "../points/provider.ts"
import { type Remote, service } from "../tokens.ts"

/** In what a provider departs from OpenAI's own API. Plain data. */
export interface OpenAiDialect {
  /** Which model says a word where there is no list of models to ask for. */
  defaultModel: string
  /** Put behind an address that does not end with it, such as `/v1`. */
  basePath?: string
  /** Usage comes with the end of each stream, and a request for it is refused. */
  tellsUsageUnasked?: boolean
  /** Thinking that led to calls goes back with them, in each later request, as `reasoning_content`. */
  takesThinkingBack?: boolean
  /** How thinking is switched off: `thinking: { type: "disabled" }`, or an effort of `none`. Left out: models that do not think would refuse either, so neither is sent. */
  thinkingOff?: "thinking" | "effort"
  /** Images are taken as data, not by address. */
  inlineImages?: boolean
  /** Ids of calls are exactly this many letters and digits. */
  callIdLength?: number
}

/** OpenAI's chat completions, models and embeddings, for provider types that speak them. */
export interface OpenAiCompatibleService {
  chat(dialect: OpenAiDialect, connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]>
  forward(dialect: OpenAiDialect, connection: ProviderConnection, call: ForwardCall, signal: AbortSignal): AsyncIterable<ForwardPart>
  models(dialect: OpenAiDialect, connection: ProviderConnection, signal: AbortSignal): Promise<ModelInfo[]>
  verify(dialect: OpenAiDialect, connection: ProviderConnection, model: string | undefined, signal: AbortSignal): Promise<void>
  embed(dialect: OpenAiDialect, connection: ProviderConnection, model: string, texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>
}
export const OpenAiCompatible = service<OpenAiCompatibleService>("openai-compatible", "1.0.0")

/** What a type of its own says of itself. `embeds`: false where there is no model for that. */
export type OpenAiKin = Pick<ProviderType, "defaultBaseUrl" | "defaultModel" | "keyless" | "environment"> & { embeds?: boolean; dialect?: Omit<OpenAiDialect, "defaultModel"> }

/** A provider type that speaks OpenAI's format, out of what is its own. */
export function openAiCompatibleType(openai: Remote<OpenAiCompatibleService>, { dialect: departures, embeds = true, ...own }: OpenAiKin): ProviderType {
  const dialect: OpenAiDialect = { ...departures, defaultModel: own.defaultModel }
  return {
    ...own,
    chat: (connection, request, signal) => openai.chat(dialect, connection, request, signal),
    forward: (connection, call, signal) => openai.forward(dialect, connection, call, signal),
    models: (connection, signal) => openai.models(dialect, connection, signal),
    verify: (connection, model, signal) => openai.verify(dialect, connection, model, signal),
    ...(embeds && { embed: (connection, model, texts, signal) => openai.embed(dialect, connection, model, texts, signal) }),
  }
}
