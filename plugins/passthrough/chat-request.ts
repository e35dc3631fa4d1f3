import { asEffort, type ContentPart, type Host, type LlmRequest, type ModelMessage, type ModelTarget, type ToolCall } from "@plugboard/sdk"
import type { Body } from "./asked.ts"
import type { manifest } from "./manifest.ts"

// OpenAI's chat completions, read for providers and plugins that know none. Source: the public API reference, "Create chat completion".

interface WirePart {
  type: string
  text?: string
  refusal?: string
  image_url?: { url: string }
}
interface WireMessage {
  role: string
  content?: string | WirePart[] | null
  reasoning_content?: string
  tool_calls?: { id?: string; function?: { name?: string; arguments?: string } }[] | null
  tool_call_id?: string
}
interface WireBody {
  messages: WireMessage[]
  tools?: { type: string; function?: { name: string; description?: string; parameters?: object } }[] | null
  tool_choice?: string | { function?: { name: string } } | null
  max_tokens?: number
  max_completion_tokens?: number
  temperature?: number | null
  top_p?: number | null
  stop?: string | string[] | null
  response_format?: Record<string, unknown> | null
  reasoning_effort?: string | null
  stream?: boolean
}

/** `strict`: what the request cannot hold is refused, for a provider that gets nothing else; otherwise it is left out of what plugins see. */
export function requestIn(host: Host<typeof manifest>, { provider, model }: ModelTarget, body: Body, strict: boolean): LlmRequest {
  const wire = body as unknown as WireBody
  const unsupported = (member: string) => host.fail("unsupported_member", { member, provider })
  const tools = (wire.tools ?? []).flatMap(({ type, function: tool }) => {
    if (!tool && strict) throw unsupported(`tools of the type ${type}`)
    return tool ? [{ name: tool.name, description: tool.description ?? "", parameters: tool.parameters ?? { type: "object", properties: {} } }] : []
  })
  const partOf = (part: WirePart): ContentPart[] => {
    if (part.image_url) return [{ type: "image", url: part.image_url.url }]
    const text = part.text ?? part.refusal
    if (text === undefined && strict) throw unsupported(`content of the type ${part.type}`)
    return text === undefined ? [] : [{ type: "text", text }]
  }
  const maxTokens = wire.max_completion_tokens ?? wire.max_tokens
  const effort = asEffort(wire.reasoning_effort)
  const toolChoice = choiceOf(wire.tool_choice)
  return {
    model,
    messages: wire.messages.map((message) => messageOf(message, partOf)),
    ...(tools.length > 0 && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(maxTokens && { maxTokens }),
    ...(typeof wire.temperature === "number" && { temperature: wire.temperature }),
    ...(typeof wire.top_p === "number" && { topP: wire.top_p }),
    ...(wire.stop && { stop: [wire.stop].flat() }),
    ...(wire.response_format && wire.response_format.type !== "text" && { responseFormat: wire.response_format }),
    ...(effort && { effort }),
    stream: wire.stream === true,
  }
}

function choiceOf(choice: WireBody["tool_choice"]): LlmRequest["toolChoice"] {
  if (choice === "auto" || choice === "none" || choice === "required") return choice
  return typeof choice === "object" && choice?.function ? { name: choice.function.name } : undefined
}

function messageOf(message: WireMessage, partOf: (part: WirePart) => ContentPart[]): ModelMessage {
  const role = message.role === "developer" ? "system" : message.role === "function" ? "tool" : (message.role as ModelMessage["role"])
  const content = typeof message.content === "string" ? message.content : (message.content ?? []).flatMap(partOf)
  const calls = message.tool_calls ?? []
  return {
    role,
    content: typeof content !== "string" && content.every((part) => part.type === "text") ? content.map((part) => part.text).join("") : content,
    ...(message.reasoning_content && { thinking: message.reasoning_content }),
    ...(calls.length > 0 && { toolCalls: calls.map(callOf) }),
    ...(role === "tool" && { toolCallId: message.tool_call_id ?? "" }),
  }
}

function callOf({ id = "", function: called }: NonNullable<WireMessage["tool_calls"]>[number]): ToolCall {
  return { id, name: called?.name ?? "", arguments: objectIn(called?.arguments ?? "") }
}

/** A client repeats what a model said, which need not be JSON. */
function objectIn(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
