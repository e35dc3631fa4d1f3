// OpenAI's chat completions as bytes, made in advance. Source: the public API reference, "The chat completion object" and "The chat completion chunk object".

export interface WireUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details?: { cached_tokens: number }
  completion_tokens_details?: { reasoning_tokens: number }
}

const id = "chatcmpl-upstream"
const created = 1_700_000_000

/** Data of one event: a chunk with this delta. */
export function chunk(model: string, delta: object, finish: string | null = null): string {
  return JSON.stringify({ id, object: "chat.completion.chunk", created, model, choices: [{ index: 0, delta, finish_reason: finish }], usage: null })
}

/** The chunk that follows the last choice when `stream_options.include_usage` is set. */
export function usageChunk(model: string, usage: WireUsage): string {
  return JSON.stringify({ id, object: "chat.completion.chunk", created, model, choices: [], usage })
}

export function completion(model: string, message: object, finish: string, usage: WireUsage): string {
  return JSON.stringify({
    id,
    object: "chat.completion",
    created,
    model,
    choices: [{ index: 0, message: { role: "assistant", ...message }, logprobs: null, finish_reason: finish }],
    usage,
  })
}

export function failure(message: string, type: string, code: string | null = null): string {
  return JSON.stringify({ error: { message, type, param: null, code } })
}

export function event(data: string): string {
  return `data: ${data}\n\n`
}

export function usageOf(promptTokens: number, completionTokens: number): WireUsage {
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens }
}

/** A whole stream: its deltas, then finish, usage and the end mark. */
export function stream(model: string, deltas: readonly object[], finish: string, usage: WireUsage): string[] {
  return [...deltas.map((delta) => chunk(model, delta)), chunk(model, {}, finish), usageChunk(model, usage), "[DONE]"].map(event)
}
