import type { CacheWish, Caller, Host, LlmRequest, ModelTarget } from "@plugboard/sdk"
import { withChanges } from "./body-changes.ts"
import { requestIn } from "./chat-request.ts"
import type { manifest } from "./manifest.ts"

export type Body = Readonly<Record<string, unknown>>

/** What is asked of whom, when plugins have had their say: the client's own body, changed only where one of them changed the request. */
export interface Asked {
  provider: string
  model: string
  body: Body
  cache?: CacheWish
}

/** `llm.request` for a body of OpenAI's format. It is read for those who tap, and not otherwise. */
export async function askedOf(
  host: Host<typeof manifest>,
  caller: Caller,
  runId: string,
  target: ModelTarget & { cache?: CacheWish },
  body: Body,
  signal: AbortSignal,
): Promise<Asked> {
  if (!host.hooks.tapped("llm.request", caller)) return { ...target, body: { ...body, model: target.model } }
  const { cache } = target
  const request = { ...requestIn(host, target, body, false), ...(cache && { cache }) }
  const shaped = await host.hooks.call("llm.request", { runId, provider: target.provider, iteration: 1, request }, { caller, signal })
  return { provider: shaped.provider, model: shaped.request.model, body: withChanges(body, request, shaped.request), ...(cache && { cache }) }
}

/** `llm.request` for a request that is in our own words already. */
export async function askedRequest(host: Host<typeof manifest>, caller: Caller, runId: string, target: ModelTarget, request: LlmRequest, signal: AbortSignal) {
  const own = { ...request, model: target.model }
  return host.hooks.call("llm.request", { runId, provider: target.provider, iteration: 1, request: own }, { caller, signal })
}
