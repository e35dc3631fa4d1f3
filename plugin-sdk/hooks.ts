import type { Caller } from "./caller.ts"
import type { CacheWish, KeepWish, KeptAnswer } from "./kept-answer.ts"
import type { Delta, LlmRequest, ModelMessage, ToolCall, Usage } from "./points/provider.ts"
import type { ToolOffer, ToolResult } from "./points/tool.ts"
import type { RunAttempt } from "./services/routes.ts"
import type { RunOrigin } from "./services/runs.ts"

/** Taps in order, each may replace the value. */
export interface Waterfall<V> {
  kind: "waterfall"
  value: V
  result: V
}
/** Taps in order until one answers something other than undefined. */
export interface Bail<V, R> {
  kind: "bail"
  value: V
  result: R | undefined
}
/** All taps at once; nothing comes back. */
export interface Parallel<V> {
  kind: "parallel"
  value: V
  result: undefined
}
/** Each tap wraps the stream; no tap, no stage. */
export interface Transform<V> {
  kind: "transform"
  value: AsyncIterable<readonly V[]>
  result: AsyncIterable<readonly V[]>
}

/** A call that is about to be served. `limit` names what it spends. */
export interface AuthorizedRequest {
  kind: "http" | "rpc"
  name: string
}
export interface Denial {
  kind: "FORBIDDEN" | "RESOURCE_EXHAUSTED"
  reason: string
  retryAfterMs?: number
}

/** What asks for a run: a message and where it came from. */
export interface RunRequest {
  agentKey: string
  sessionKey: string
  message: string
  /** `ws`, `http`, `wake`, or a channel's name. */
  channel: string
  chatId: string
}

export interface PromptSection {
  key: string
  text: string
}
export interface Prompt {
  /** Empty for one that is only to be looked at. */
  runId: string
  agentKey: string
  sessionKey: string
  message: string
  /** Joined by blank lines into the system prompt, in this order. */
  sections: readonly PromptSection[]
}

export interface ToolsOnOffer {
  runId: string
  agentKey: string
  tools: readonly ToolOffer[]
}

export interface LlmCall {
  runId: string
  provider: string
  iteration: number
  request: LlmRequest
}
/** A model is about to be asked, and `llm.request` has had its say. */
export interface CallingLlm {
  runId: string
  /** Empty for a call that no agent makes. */
  agentKey: string
  provider: string
  iteration: number
  /** Left out where the client's own words are passed on. */
  request?: LlmRequest
  /** Those words, in the format of OpenAI's chat completions, with the provider's own name of the model. */
  body?: Readonly<Record<string, unknown>>
  /** What the client says of kept answers. */
  cache?: CacheWish
}
/** `answer`: in place of the model's; nobody is asked and nothing is spent. `keep`: the model's answer comes to `llm.called` when it is whole, and no plugin has changed it behind its stream. */
export type LlmVerdict = { answer: KeptAnswer } | { keep: KeepWish }
/** An answer that a tap of `llm.calling` wants to keep. */
export interface CalledLlm {
  runId: string
  agentKey: string
  /** As the tap has given it. */
  as: unknown
  answer: KeptAnswer
}
export interface LlmAnswer {
  runId: string
  provider: string
  model: string
  iteration: number
  message: ModelMessage
  usage: Usage
  finish: string
}
export interface LlmFailure {
  /** Empty for a call that belongs to no run. */
  runId: string
  provider: string
  model: string
  /** From 1, over all providers of the call. */
  attempt: number
  /** Name of the failure without its plugin, see `Attempt`. */
  error: string
  ms: number
  retryAfterMs?: number
  /** True when the client has seen a part of this answer: nothing can be tried again then. */
  begun: boolean
}
/** What to do instead of what the chain and the settings say. An attempt over the limit is not made. */
export interface LlmRecovery {
  retryInMs?: number
  provider?: string
  model?: string
}

export interface CallingTool {
  runId: string
  agentKey: string
  sessionKey: string
  call: ToolCall
  risk: string
}
export type ToolVerdict = { allow: false; reason: string } | { answer: ToolResult }
export interface CalledTool {
  runId: string
  call: ToolCall
  result: ToolResult
}

export interface FinishedRun {
  runId: string
  agentKey: string
  sessionKey: string
  channel: string
  status: "completed" | "failed" | "cancelled" | "interrupted"
  provider: string
  model: string
  /** Of all attempts. */
  usage: Usage
  /** Every request to a provider, in order. */
  attempts?: readonly RunAttempt[]
  /** Of all attempts, in nano-USD, at the prices of its end; see the service `prices`. Null: a model without a price was at work. */
  costNanoUsd: number | null
  startedAt: string
  durationMs: number
  error?: string
  /** Set for a run that another agent has caused. */
  origin?: RunOrigin
}

export interface EntityChange {
  entity: string
  id: string
  change: "created" | "updated" | "deleted"
}

/** Every hook by name. A plugin adds its own by declaration merging and `hookDefinitions`. */
export interface HookMap {
  "request.authorized": Bail<AuthorizedRequest, Denial>
  "run.requested": Waterfall<RunRequest>
  "prompt.assembling": Waterfall<Prompt>
  "tools.resolving": Waterfall<ToolsOnOffer>
  "llm.request": Waterfall<LlmCall>
  "llm.calling": Bail<CallingLlm, LlmVerdict>
  "llm.stream": Transform<Delta>
  "llm.response": Waterfall<LlmAnswer>
  "llm.called": Parallel<CalledLlm>
  "llm.failed": Bail<LlmFailure, LlmRecovery>
  "tool.calling": Bail<CallingTool, ToolVerdict>
  "tool.called": Waterfall<CalledTool>
  "run.finished": Parallel<FinishedRun>
  "entity.changed": Parallel<EntityChange>
}
export type HookName = keyof HookMap

export interface HookDefinition {
  kind: "waterfall" | "bail" | "parallel" | "transform"
  /** In the order in which they run; a tap names one. */
  phases: readonly string[]
  /** How long a tap may take, in ms, when its declaration says nothing. */
  timeoutMs: number
}

export const hookDefinitions: Readonly<Record<HookName, HookDefinition>> = {
  "request.authorized": { kind: "bail", phases: ["quota", "policy"], timeoutMs: 500 },
  "run.requested": { kind: "waterfall", phases: ["guard", "command", "shape"], timeoutMs: 5_000 },
  "prompt.assembling": { kind: "waterfall", phases: ["persona", "recall", "skills", "shape"], timeoutMs: 1_000 },
  "tools.resolving": { kind: "waterfall", phases: ["offer", "guard"], timeoutMs: 1_000 },
  "llm.request": { kind: "waterfall", phases: ["guard", "cache", "shape"], timeoutMs: 2_000 },
  "llm.calling": { kind: "bail", phases: ["guard", "cache"], timeoutMs: 2_000 },
  "llm.stream": { kind: "transform", phases: ["guard", "shape"], timeoutMs: 2_000 },
  "llm.response": { kind: "waterfall", phases: ["price", "guard", "cache", "shape"], timeoutMs: 2_000 },
  "llm.called": { kind: "parallel", phases: ["keep"], timeoutMs: 2_000 },
  "llm.failed": { kind: "bail", phases: ["retry", "failover"], timeoutMs: 1_000 },
  "tool.calling": { kind: "bail", phases: ["guard", "approval", "cache"], timeoutMs: 3_600_000 },
  "tool.called": { kind: "waterfall", phases: ["trim", "guard"], timeoutMs: 2_000 },
  "run.finished": { kind: "parallel", phases: ["record", "learn"], timeoutMs: 30_000 },
  "entity.changed": { kind: "parallel", phases: ["invalidate", "show"], timeoutMs: 2_000 },
}

export interface HookContext {
  readonly caller: Caller
  /** Ends when the request ends or the tap's time is up. */
  readonly signal: AbortSignal
}

/** A tap as a plugin writes it. Returns the value untouched when it has nothing to add. */
export type Tap<N extends HookName> = (
  value: HookMap[N]["value"],
  context: HookContext,
) => N extends TransformName ? HookMap[N]["result"] : Promise<HookMap[N]["result"]> | HookMap[N]["result"]

type TransformName = { [N in HookName]: HookMap[N] extends { kind: "transform" } ? N : never }[HookName]
