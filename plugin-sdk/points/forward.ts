import type { Delta, Usage } from "./provider.ts"

/** A call in OpenAI's own format, for clients and providers that both speak it: what nobody needs to know is not looked at. */
export interface ForwardCall {
  path: "/chat/completions" | "/embeddings"
  /** With the provider's own name of the model. Every other member goes as it came. */
  body: Readonly<Record<string, unknown>>
  /** Of each choice; to be sent along in the provider's own spelling: a budget holds for a body that names no limit. */
  mostTokens?: number
  /** True: what the answer says is also told as deltas, which costs reading all of it. */
  read: boolean
}

/**
 * Of one answer. `head` comes first. Bytes are the body as the client gets it: of a stream whole events, else all of it in one piece.
 * `deltas` (when asked for) come before the bytes that say the same, once for the first of several choices (without a `choice`) and then for each other that has some;
 * `usage` as soon as the provider tells it.
 */
export type ForwardPart = { head: ForwardHead } | { deltas: readonly Delta[]; choice?: number } | { usage: Usage } | Uint8Array

export interface ForwardHead {
  /** The provider's. With anything but 200 the body is an error object of OpenAI's API, which holds no key. */
  status: number
  isStream: boolean
  retryAfterMs?: number
}
