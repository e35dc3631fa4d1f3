import type { CacheWish } from "../kept-answer.ts"
import { extensionPoint } from "../tokens.ts"
import type { ForwardCall, ForwardPart } from "./forward.ts"

export type ContentPart = { type: "text"; text: string } | { type: "image"; url: string }

export interface ToolCall {
  id: string
  name: string
  arguments: Readonly<Record<string, unknown>>
  /** Set when the model's text for the arguments was not JSON; `arguments` is empty then. */
  parseError?: string
}

/** What a provider wants back with the message, word for word: signed thinking and the like. `type`: the provider type that made it and alone reads it. Plain data. */
export interface ProviderState {
  type: string
  data: unknown
}

/** One message of a model's conversation. */
export interface ModelMessage {
  role: "system" | "user" | "assistant" | "tool"
  content: string | readonly ContentPart[]
  thinking?: string
  /** In the order in which it came. Lost when the message is stored: providers ask for it within a turn only. */
  state?: readonly ProviderState[]
  toolCalls?: readonly ToolCall[]
  /** For `role: "tool"`: the call that it answers. */
  toolCallId?: string
  isError?: boolean
}

/** A tool as the model sees it. `parameters` is JSON Schema. */
export interface ToolSpec {
  name: string
  description: string
  parameters: object
}

/** How much a model thinks before it answers. */
export type Effort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh"

export interface LlmRequest {
  model: string
  messages: readonly ModelMessage[]
  tools?: readonly ToolSpec[]
  maxTokens?: number
  temperature?: number
  topP?: number
  /** Texts at which the answer ends. */
  stop?: readonly string[]
  /** Whether tools may, must or must not be called; a name: that one must. When left out they may. */
  toolChoice?: "auto" | "none" | "required" | { name: string }
  /** As OpenAI's API has it: `json_object`, or `json_schema` with its schema. */
  responseFormat?: Readonly<Record<string, unknown>>
  /** When left out: what the provider's settings say under `reasoning_defaults.effort`, else the model's own. */
  effort?: Effort
  /** What the client says of kept answers; providers are not told. */
  cache?: CacheWish
  /** False: the whole answer may come as one delta. */
  stream: boolean
}

/** Tokens, as the provider bills them. Zero where it says nothing. */
export interface Usage {
  /** All of them: those read from a cache and those written to one are part of it. */
  promptTokens: number
  /** All of them: those of the thinking are part of it. */
  completionTokens: number
  cachedTokens: number
  cacheWriteTokens: number
  reasoningTokens: number
  /** What answers had cost that were given again out of a cache; in none of the other counts. Set where there is one. */
  savedTokens?: number
  /** True when the provider did not report and the numbers were counted here from the text that came. */
  estimated?: boolean
}

/** A piece of an answer. `tool`: fragments of one call share `index`; `id` and `name` come with the first. The last `finish` and `usage` win. */
export type Delta =
  | { type: "text"; text: string }
  | { type: "thinking"; text: string }
  | { type: "tool"; index: number; id?: string; name?: string; arguments?: string }
  /** Goes into the message as it is; nobody is shown it. */
  | { type: "state"; state: ProviderState }
  | { type: "usage"; usage: Usage }
  | { type: "finish"; reason: "stop" | "length" | "tool_calls" | "content_filter" }

/** Names of the failures that a provider type may throw: `host.fail("provider_auth", …)` and so on; kinds and texts are those of the SDK. */
export const providerErrors = {
  provider_auth: { kind: "UPSTREAM_FAILED" },
  provider_rate_limited: { kind: "UPSTREAM_FAILED" },
  provider_context_length: { kind: "INVALID_REQUEST" },
  provider_content_filter: { kind: "INVALID_REQUEST" },
  provider_overloaded: { kind: "UPSTREAM_FAILED" },
  provider_not_found: { kind: "UPSTREAM_FAILED" },
  provider_bad_request: { kind: "UPSTREAM_FAILED" },
  provider_network: { kind: "UPSTREAM_FAILED" },
  provider_timeout: { kind: "AGENT_TIMEOUT" },
  provider_broken_stream: { kind: "UPSTREAM_FAILED" },
} as const
export type ProviderErrorName = keyof typeof providerErrors

/** Where and with what a provider is called. `apiKey` is clear text: never log it, never return it. */
export interface ProviderConnection {
  name: string
  baseUrl: string
  apiKey: string
  settings: Readonly<Record<string, unknown>>
}

export interface ModelInfo {
  id: string
  name?: string
}

/** One type of LLM provider. Contribute under its `provider_type` with `host.contribute(ProviderTypes, type, implementation)`. */
export interface ProviderType {
  /** Where it listens unless the provider says otherwise; empty for a type that calls nobody. */
  readonly defaultBaseUrl: string
  readonly defaultModel: string
  /** True when it works without a key. */
  readonly keyless: boolean
  /** Environment variables that hold a key; a provider is seeded for the first that is set. */
  readonly environment: readonly string[]
  /** One answer. Batches hold all deltas that were ready together. Ends by itself after `finish`; rejects with one of `providerErrors`. Leaving the loop or the signal ends the upstream call. */
  chat(connection: ProviderConnection, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]>
  /** For types that speak OpenAI's format: a call and its answer as they are. Rejects with one of `providerErrors` where there is no answer. */
  forward?(connection: ProviderConnection, call: ForwardCall, signal: AbortSignal): AsyncIterable<ForwardPart>
  models(connection: ProviderConnection, signal: AbortSignal): Promise<ModelInfo[]>
  /** Resolves when the connection (and the model, when named) works; rejects with the provider's own reason. */
  verify(connection: ProviderConnection, model: string | undefined, signal: AbortSignal): Promise<void>
  embed?(connection: ProviderConnection, model: string, texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>
}

export const ProviderTypes = extensionPoint<ProviderType>("provider-types", "1.0.0")
