import { asEffort, type ContentPart, type Effort, type Host, type LlmRequest, type ModelMessage, openState } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { manifest } from "./manifest.ts"
import type { CountRequest, MessageRequest } from "./wire.ts"

interface Block {
  type: string
  text?: string
  thinking?: string
  signature?: string
  data?: string
  id?: string
  name?: string
  input?: Record<string, unknown>
  tool_use_id?: string
  content?: string | Block[]
  is_error?: boolean
  source?: { type: string; media_type?: string; data?: string; url?: string }
}
type Asked = Static<typeof CountRequest> & Partial<Static<typeof MessageRequest>>
type Host_ = Host<typeof manifest>

export function requestIn(host: Host_, body: Asked): LlmRequest {
  const effort = effortIn(body)
  const { format } = body.output_config ?? {}
  const tools = body.tools?.map((tool) => {
    if (!tool.input_schema) throw host.fail("unsupported", { what: `the tool ${tool.name} ${tool.type === undefined ? "without an input_schema" : `of the type ${tool.type}`}` })
    return { name: tool.name, description: tool.description ?? "", parameters: tool.input_schema }
  })
  const system = typeof body.system === "string" ? body.system : ((body.system ?? []) as Block[]).map(({ text = "" }) => text).join("\n\n")
  return {
    model: body.model,
    messages: [...(system === "" ? [] : [{ role: "system" as const, content: system }]), ...body.messages.flatMap((message) => messagesIn(host, message))],
    ...(tools?.length && { tools }),
    ...(body.tool_choice && { toolChoice: choiceIn(body.tool_choice) }),
    ...(body.max_tokens && { maxTokens: body.max_tokens }),
    ...(body.temperature !== undefined && { temperature: body.temperature }),
    ...(body.top_p !== undefined && { topP: body.top_p }),
    ...(body.stop_sequences?.length && { stop: body.stop_sequences }),
    ...(format?.type === "json_schema" && { responseFormat: { type: "json_schema", json_schema: { name: "answer", schema: format.schema } } }),
    ...(effort && { effort }),
    stream: body.stream ?? false,
  }
}

function choiceIn({ type, name = "" }: NonNullable<Asked["tool_choice"]>): LlmRequest["toolChoice"] {
  if (type === "tool") return { name }
  return type === "any" ? "required" : type
}

/** Tokens of thinking as words that every provider knows. */
function effortIn({ thinking, output_config: output }: Asked): Effort | undefined {
  if (output?.effort !== undefined) return asEffort(output.effort === "max" ? "xhigh" : output.effort)
  if (thinking?.type === "disabled") return "none"
  const budget = thinking?.type === "enabled" ? (thinking.budget_tokens ?? 0) : 0
  return budget === 0 ? undefined : budget < 4_096 ? "low" : budget < 16_384 ? "medium" : "high"
}

/** Answers to calls are messages of their own to other formats, and stand before what the user says beside them. */
function messagesIn(host: Host_, { role, content }: Asked["messages"][number]): ModelMessage[] {
  if (typeof content === "string") return [{ role, content }]
  const blocks = content as Block[]
  if (role === "assistant") return [spoken(host, blocks)]
  const answers = blocks.flatMap((block): ModelMessage[] => {
    if (block.type !== "tool_result") return []
    const said = typeof block.content === "string" ? block.content : partsIn(host, block.content ?? [])
    return [{ role: "tool", content: said, toolCallId: block.tool_use_id ?? "", ...(block.is_error && { isError: true }) }]
  })
  const rest = partsIn(
    host,
    blocks.filter(({ type }) => type !== "tool_result"),
  )
  return rest.length === 0 ? answers : [...answers, { role, content: rest }]
}

function spoken(host: Host_, blocks: readonly Block[]): ModelMessage {
  const calls = blocks.filter(({ type }) => type === "tool_use").map(({ id = "", name = "", input = {} }) => ({ id, name, arguments: input }))
  const thinking = blocks.map((block) => (block.type === "thinking" ? block.thinking : "")).join("")
  const state = blocks.flatMap((block) => openState(block.type === "thinking" ? block.signature : block.type === "redacted_thinking" ? block.data : undefined) ?? [])
  const said = blocks.filter(({ type }) => !/^(tool_use|thinking|redacted_thinking)$/.test(type))
  return {
    role: "assistant",
    content: partsIn(host, said)
      .map((part) => (part.type === "text" ? part.text : ""))
      .join(""),
    ...(thinking !== "" && { thinking }),
    ...(state.length > 0 && { state }),
    ...(calls.length > 0 && { toolCalls: calls }),
  }
}

function partsIn(host: Host_, blocks: readonly Block[]): ContentPart[] {
  return blocks.map((block): ContentPart => {
    if (block.type === "text") return { type: "text", text: block.text ?? "" }
    const { source } = block
    if (block.type !== "image" || !source) throw host.fail("unsupported", { what: `content of the type ${block.type}` })
    if (source.type === "url" && source.url) return { type: "image", url: source.url }
    if (source.type !== "base64") throw host.fail("unsupported", { what: `an image from ${source.type}` })
    return { type: "image", url: `data:${source.media_type};base64,${source.data}` }
  })
}
