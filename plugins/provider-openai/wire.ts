import type { ContentPart, Delta, LlmRequest, ModelMessage, Usage } from "@plugboard/sdk"

// OpenAI's chat completions on the wire. Source: the public API reference, "Create chat completion" and "The chat completion chunk object".

interface WireUsage {
  prompt_tokens?: number
  completion_tokens?: number
  prompt_tokens_details?: { cached_tokens?: number } | null
  completion_tokens_details?: { reasoning_tokens?: number } | null
}
interface WireToolCall {
  index?: number
  id?: string
  function?: { name?: string; arguments?: string }
}
interface WireContent {
  content?: string | null
  /** Where the kin put their thinking: DeepSeek and others, OpenRouter. */
  reasoning_content?: string | null
  reasoning?: string | null
  tool_calls?: WireToolCall[] | null
}
export interface WireAnswer {
  choices?: { delta?: WireContent; message?: WireContent; finish_reason?: string | null }[]
  usage?: WireUsage | null
  error?: WireError | string | null
}
export interface WireError {
  message?: string
  type?: string
  code?: string | number | null
}

/** OpenAI's own newer models refuse `max_tokens`; most of its kin know nothing else. */
function limitField(baseUrl: string): "max_completion_tokens" | "max_tokens" {
  return /^https:\/\/[^/]*\.(openai|azure)\.com(:\d+)?\//i.test(`${baseUrl}/`) ? "max_completion_tokens" : "max_tokens"
}

export function requestBody(request: LlmRequest, baseUrl: string): string {
  return JSON.stringify({
    model: request.model,
    messages: request.messages.map(wireMessage),
    ...(request.tools?.length && { tools: request.tools.map((tool) => ({ type: "function", function: tool })) }),
    ...(request.maxTokens && { [limitField(baseUrl)]: request.maxTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.responseFormat && { response_format: request.responseFormat }),
    ...(request.stream && { stream: true, stream_options: { include_usage: true } }),
  })
}

function wireMessage(message: ModelMessage): object {
  const content = typeof message.content === "string" ? message.content : message.content.map(wirePart)
  if (message.role === "tool") return { role: "tool", tool_call_id: message.toolCallId, content }
  if (message.toolCalls?.length) {
    const calls = message.toolCalls.map(({ id, name, arguments: args }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(args) } }))
    return { role: message.role, content: content === "" ? null : content, tool_calls: calls }
  }
  return { role: message.role, content }
}

function wirePart(part: ContentPart): object {
  return part.type === "text" ? part : { type: "image_url", image_url: { url: part.url } }
}

/** Adds what one chunk (or a whole answer) says to `out`. */
export function readAnswer(answer: WireAnswer, out: Delta[]): void {
  const choice = answer.choices?.[0]
  const said = choice?.delta ?? choice?.message
  if (said) {
    const thinking = said.reasoning_content ?? said.reasoning
    if (thinking) out.push({ type: "thinking", text: thinking })
    if (said.content) out.push({ type: "text", text: said.content })
    if (said.tool_calls) for (const [at, call] of said.tool_calls.entries()) out.push(toolDelta(call, at))
  }
  if (answer.usage) out.push({ type: "usage", usage: usageOf(answer.usage) })
  if (choice?.finish_reason) out.push({ type: "finish", reason: finishOf(choice.finish_reason) })
}

function toolDelta(call: WireToolCall, at: number): Delta {
  return {
    type: "tool",
    index: call.index ?? at,
    ...(call.id && { id: call.id }),
    ...(call.function?.name && { name: call.function.name }),
    arguments: call.function?.arguments ?? "",
  }
}

function usageOf(usage: WireUsage): Usage {
  return {
    promptTokens: usage.prompt_tokens ?? 0,
    completionTokens: usage.completion_tokens ?? 0,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    cacheWriteTokens: 0,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  }
}

function finishOf(reason: string): Extract<Delta, { type: "finish" }>["reason"] {
  if (reason === "length" || reason === "content_filter") return reason
  return reason === "tool_calls" || reason === "function_call" ? "tool_calls" : "stop"
}
