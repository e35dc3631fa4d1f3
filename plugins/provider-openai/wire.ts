import { createHash } from "node:crypto"
import type { Complaint, ContentPart, Delta, Effort, LlmRequest, ModelMessage, OpenAiDialect, Usage } from "@plugboard/sdk"

// OpenAI's chat completions on the wire. Source: the public API reference, "Create chat completion" and "The chat completion chunk object".

interface WireUsage {
  prompt_tokens?: number
  completion_tokens?: number
  total_tokens?: number
  prompt_tokens_details?: { cached_tokens?: number } | null
  completion_tokens_details?: { reasoning_tokens?: number } | null
  /** Where DeepSeek and Moonshot put what others have under `prompt_tokens_details`. */
  prompt_cache_hit_tokens?: number
  cached_tokens?: number
}
interface WireToolCall {
  index?: number
  id?: string
  function?: { name?: string; arguments?: string | object }
}
/** Mistral's thinking models answer in parts. */
interface WirePart {
  type?: string
  text?: string
  thinking?: string | WirePart[]
}
interface WireContent {
  content?: string | WirePart[] | null
  /** Where the kin put their thinking: DeepSeek, xAI and others; Groq, Ollama and OpenRouter. */
  reasoning_content?: string | null
  reasoning?: string | null
  /** Instead of an answer of the schema that was asked for. */
  refusal?: string | null
  tool_calls?: WireToolCall[] | null
}
export interface WireAnswer {
  choices?: { index?: number; delta?: WireContent; message?: WireContent; finish_reason?: string | null }[]
  usage?: WireUsage | null
  /** Where Groq has the usage of a stream. */
  x_groq?: { usage?: WireUsage | null }
  error?: object | string | null
}

interface Asked {
  baseUrl: string
  dialect: OpenAiDialect
  effort: Effort | undefined
}

/** OpenAI's own newer models refuse `max_tokens`; most of its kin know nothing else. */
export function limitField(baseUrl: string): "max_completion_tokens" | "max_tokens" {
  return /^https:\/\/[^/]*\.(openai|azure)\.com(:\d+)?\//i.test(`${baseUrl}/`) ? "max_completion_tokens" : "max_tokens"
}

export function requestBody(request: LlmRequest, { baseUrl, dialect, effort }: Asked): string {
  return JSON.stringify({
    model: request.model,
    messages: request.messages.map((message) => wireMessage(message, dialect)),
    ...(request.tools?.length && { tools: request.tools.map((tool) => ({ type: "function", function: tool })) }),
    ...(request.maxTokens && { [limitField(baseUrl)]: request.maxTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.stop?.length && { stop: request.stop }),
    ...(request.toolChoice && { tool_choice: typeof request.toolChoice === "object" ? { type: "function", function: request.toolChoice } : request.toolChoice }),
    ...(request.responseFormat && { response_format: request.responseFormat }),
    ...effortField(effort, dialect),
    ...(request.stream && { stream: true, ...(!dialect.tellsUsageUnasked && { stream_options: { include_usage: true } }) }),
  })
}

function effortField(effort: Effort | undefined, { thinkingOff }: OpenAiDialect): object | undefined {
  if (effort === "none" && thinkingOff !== "effort") return thinkingOff && { thinking: { type: "disabled" } }
  return effort && { reasoning_effort: effort }
}

function wireMessage(message: ModelMessage, dialect: OpenAiDialect): object {
  const content = typeof message.content === "string" ? message.content : message.content.map(wirePart)
  if (message.role === "tool") return { role: "tool", tool_call_id: wireId(message.toolCallId ?? "", dialect), content }
  if (message.toolCalls?.length) {
    const calls = message.toolCalls.map(({ id, name, arguments: args }) => ({ id: wireId(id, dialect), type: "function", function: { name, arguments: JSON.stringify(args) } }))
    const thinking = dialect.takesThinkingBack && { reasoning_content: message.thinking ?? "" }
    return { role: message.role, content: content === "" ? null : content, ...thinking, tool_calls: calls }
  }
  return { role: message.role, content }
}

/** The id itself where it fits, else one made of it: a call and its answer get the same, and calls of one message differ. */
function wireId(id: string, { callIdLength }: OpenAiDialect): string {
  if (callIdLength === undefined || (id.length === callIdLength && /^[a-zA-Z0-9]+$/.test(id))) return id
  return createHash("sha256").update(id).digest("hex").slice(0, callIdLength)
}

function wirePart(part: ContentPart): object {
  return part.type === "text" ? part : { type: "image_url", image_url: { url: part.url } }
}

/** Adds what one chunk (or a whole answer) says to `out`, of its first choice or another. */
export function readAnswer(answer: WireAnswer, out: Delta[], place = 0): Complaint | undefined {
  const choice = answer.choices?.find(({ index }, at) => (index ?? at) === place)
  const said = choice?.delta ?? choice?.message
  if (said) {
    const thinking = said.reasoning_content ?? said.reasoning
    if (thinking) out.push({ type: "thinking", text: thinking })
    if (typeof said.content === "string") {
      if (said.content !== "") out.push({ type: "text", text: said.content })
    } else if (said.content) for (const part of said.content) readPart(part, out)
    if (said.refusal) out.push({ type: "text", text: said.refusal })
    if (said.tool_calls) for (const [at, call] of said.tool_calls.entries()) out.push(toolDelta(call, at))
  }
  const usage = answer.usage ?? answer.x_groq?.usage
  if (usage && place === 0) out.push({ type: "usage", usage: usageOf(usage) })
  if (!choice?.finish_reason) return undefined
  // DeepSeek and OpenRouter end an answer so that they could not finish.
  if (choice.finish_reason === "insufficient_system_resource" || choice.finish_reason === "error") return { status: 503, message: `it ended the answer: ${choice.finish_reason}` }
  out.push({ type: "finish", reason: finishOf(choice.finish_reason) })
  return undefined
}

function readPart({ type, text, thinking }: WirePart, out: Delta[]): void {
  if (type === "thinking") {
    const thought = typeof thinking === "string" ? thinking : (thinking ?? []).map((part) => part.text ?? "").join("")
    if (thought !== "") out.push({ type: "thinking", text: thought })
  } else if (text) out.push({ type: "text", text })
}

function toolDelta({ index, id, function: called }: WireToolCall, at: number): Delta {
  const args = called?.arguments ?? ""
  return {
    type: "tool",
    index: index ?? at,
    ...(id && { id }),
    ...(called?.name && { name: called.name }),
    arguments: typeof args === "string" ? args : JSON.stringify(args),
  }
}

function usageOf(usage: WireUsage): Usage {
  const { prompt_tokens: prompt = 0, completion_tokens: completion = 0, total_tokens: total = 0 } = usage
  const reasoningTokens = usage.completion_tokens_details?.reasoning_tokens ?? 0
  // xAI counts the thinking beside the completion; the total says so.
  const apart = total >= prompt + completion + reasoningTokens
  return {
    promptTokens: prompt,
    completionTokens: apart ? completion + reasoningTokens : completion,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens ?? 0,
    cacheWriteTokens: 0,
    reasoningTokens,
  }
}

function finishOf(reason: string): Extract<Delta, { type: "finish" }>["reason"] {
  if (reason === "length" || reason === "model_length" || reason === "max_tokens") return "length"
  if (reason === "content_filter") return reason
  return reason === "tool_calls" || reason === "function_call" ? "tool_calls" : "stop"
}
