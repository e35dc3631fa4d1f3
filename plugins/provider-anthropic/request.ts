import type { ContentBlockParam, MessageCreateParams, MessageParam, TextBlockParam, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages"
import { type ContentPart, effortOf, inlineImageOf, type LlmRequest, type ModelMessage, type ProviderConnection } from "@plugboard/sdk"
import { keptIn, thinkingOf } from "./thinking.ts"

// Anthropic's Messages on the wire, held to the official package's types. Source: the public API reference, "Create a message".

/** The API wants to be told; this much, when nobody says. */
const defaultMaxTokens = 8_192
/** A prompt is read from the cache up to the last mark that it shares with an earlier one. Source: "Prompt caching". */
const mark = { cache_control: { type: "ephemeral" as const } }

/** Addresses are given with and without `/v1`. */
export function originOf({ baseUrl }: ProviderConnection): string {
  return baseUrl.replace(/\/+$/, "").replace(/\/v1$/, "")
}

export function requestBody(request: LlmRequest, connection: ProviderConnection): MessageCreateParams {
  const { schema, instruction } = formatOf(request)
  const { thinking, output_config: effort, budget } = thinkingOf(request.model, mayThink(request) ? effortOf(request, connection) : "none")
  const output = { ...effort, ...(schema && { format: { type: "json_schema" as const, schema } }) }
  const system = systemOf(request, instruction)
  const thinks = thinking !== undefined && thinking.type !== "disabled"
  return {
    model: request.model,
    max_tokens: (request.maxTokens || defaultMaxTokens) + budget,
    messages: messagesOf(request.messages),
    ...(system.length > 0 && { system }),
    ...(request.tools?.length && { tools: toolsOf(request.tools) }),
    ...(request.tools?.length && request.toolChoice && { tool_choice: choiceOf(request.toolChoice) }),
    ...(request.stop?.length && { stop_sequences: [...request.stop] }),
    // Refused together with thinking, and beside each other.
    ...(request.temperature !== undefined && !thinks && { temperature: Math.min(request.temperature, 1) }),
    ...(request.topP !== undefined && request.temperature === undefined && !thinks && { top_p: request.topP }),
    ...(thinking && { thinking }),
    ...(Object.keys(output).length > 0 && { output_config: output }),
    ...(request.stream && { stream: true }),
  }
}

/** A turn that was begun without thinking, as by another provider, goes on without: the API wants it signed from the first call on. */
function mayThink({ messages, toolChoice }: LlmRequest): boolean {
  // Nor can a call be forced on a model that thinks.
  if (toolChoice === "required" || typeof toolChoice === "object") return false
  const lastCall = messages.findLast(({ role }) => role !== "tool")
  return messages.at(-1)?.role !== "tool" || lastCall === undefined || keptIn(lastCall).length > 0
}

function choiceOf(choice: NonNullable<LlmRequest["toolChoice"]>): MessageCreateParams["tool_choice"] {
  if (typeof choice === "object") return { type: "tool", name: choice.name }
  return { type: choice === "required" ? "any" : choice }
}

/** The schema of a structured answer; plain JSON is asked for in words, for there is no switch for it. */
function formatOf({ responseFormat }: LlmRequest): { schema?: Record<string, unknown>; instruction?: string } {
  const { type, json_schema: given } = (responseFormat ?? {}) as { type?: string; json_schema?: { schema?: Record<string, unknown> } }
  if (type === "json_schema" && given?.schema) return { schema: given.schema }
  return type === "json_object" ? { instruction: "Answer with one JSON object and nothing else." } : {}
}

function systemOf({ messages }: LlmRequest, instruction: string | undefined): TextBlockParam[] {
  const texts = [...messages.filter(({ role }) => role === "system").map(({ content }) => textOf(content)), instruction ?? ""].filter((text) => text !== "")
  return texts.map((text, at) => ({ type: "text", text, ...(at === texts.length - 1 && mark) }))
}

function toolsOf(tools: NonNullable<LlmRequest["tools"]>): MessageCreateParams["tools"] {
  return tools.map(({ name, description, parameters }, at) => ({
    name,
    description,
    input_schema: { type: "object" as const, ...parameters },
    ...(at === tools.length - 1 && mark),
  }))
}

/** Neighbours of one role are one message: answers to calls made at once must stand together. The last block is marked once there is a conversation to come back to. */
function messagesOf(messages: readonly ModelMessage[]): MessageParam[] {
  const out: { role: "user" | "assistant"; content: ContentBlockParam[] }[] = []
  for (const message of messages) {
    if (message.role === "system") continue
    const role = message.role === "assistant" ? "assistant" : "user"
    const blocks = blocksOf(message)
    const last = out.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else if (blocks.length > 0) out.push({ role, content: blocks })
  }
  const last = out.at(-1)?.content
  const block = last?.at(-1)
  if (out.length > 1 && last && (block?.type === "text" || block?.type === "tool_result")) last[last.length - 1] = { ...block, ...mark }
  return out
}

function blocksOf(message: ModelMessage): ContentBlockParam[] {
  if (message.role === "tool") {
    const content = partsOf(message.content) as ToolResultBlockParam["content"]
    return [{ type: "tool_result", tool_use_id: wireId(message.toolCallId ?? ""), content, ...(message.isError && { is_error: true }) }]
  }
  return message.role === "assistant" ? spokenBlocks(message) : partsOf(message.content)
}

/** What the model said, with its thinking where it stood. */
function spokenBlocks(message: ModelMessage): ContentBlockParam[] {
  const text = textOf(message.content)
  const calls = (message.toolCalls ?? []).map(({ id, name, arguments: input }): ContentBlockParam => ({ type: "tool_use", id: wireId(id), name, input }))
  const blocks: ContentBlockParam[] = []
  let [said, called] = [0, 0]
  const upTo = (characters: number, count: number) => {
    if (text.slice(said, characters).trim() !== "") blocks.push({ type: "text", text: text.slice(said, characters) })
    blocks.push(...calls.slice(called, count))
    ;[said, called] = [Math.max(said, characters), Math.max(called, count)]
  }
  for (const { block, characters, calls: count } of keptIn(message)) {
    upTo(characters, count)
    blocks.push(block)
  }
  upTo(text.length, calls.length)
  return blocks
}

/** Empty texts are refused. */
function partsOf(content: ModelMessage["content"]): ContentBlockParam[] {
  const parts: readonly ContentPart[] = typeof content === "string" ? [{ type: "text", text: content }] : content
  return parts.filter((part) => part.type !== "text" || part.text !== "").map(blockOf)
}

function blockOf(part: ContentPart): ContentBlockParam {
  if (part.type === "text") return part
  const image = inlineImageOf(part.url)
  if (!image) return { type: "image", source: { type: "url", url: part.url } }
  return { type: "image", source: { type: "base64", media_type: image.mediaType as "image/png", data: image.data } }
}

function textOf(content: ModelMessage["content"]): string {
  return typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("")
}

/** Ids of other providers may hold signs that the API refuses. */
function wireId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, "_")
}
