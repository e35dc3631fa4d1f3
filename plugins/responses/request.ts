import { asEffort, type ContentPart, type Host, type LlmRequest, type ModelMessage, openState } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { manifest } from "./manifest.ts"
import type { ResponseRequest } from "./wire.ts"

export type Body = Static<typeof ResponseRequest>
interface Part {
  type: string
  text?: string
  refusal?: string
  image_url?: string
}
interface Item {
  type?: string
  role?: string
  content?: string | Part[]
  call_id?: string
  name?: string
  arguments?: string
  output?: string | Part[]
  encrypted_content?: string | null
}
type Responses = Host<typeof manifest>

/** `earlier`: the conversation that this request goes on from. Instructions count for one request only. */
export function requestIn(host: Responses, body: Body, earlier: readonly ModelMessage[]): LlmRequest {
  const tools = body.tools?.map(({ type, name, description = "", parameters }) => {
    if (type !== "function" || name === undefined) throw host.fail("unsupported", { what: type === "function" ? "functions without a name" : `tools of the type ${type}` })
    return { name, description, parameters: parameters ?? { type: "object", properties: {} } }
  })
  const { tool_choice: choice, text, reasoning } = body
  const effort = asEffort(reasoning?.effort)
  const { type: format, ...schema } = (text?.format ?? {}) as { type?: string }
  return {
    model: body.model ?? "",
    messages: [...(body.instructions ? [{ role: "system" as const, content: body.instructions }] : []), ...earlier, ...messagesIn(host, body.input)],
    ...(tools?.length && { tools }),
    ...(choice !== undefined && { toolChoice: typeof choice === "string" ? choice : { name: choice.name ?? "" } }),
    ...(body.max_output_tokens && { maxTokens: body.max_output_tokens }),
    ...(body.temperature !== undefined && { temperature: body.temperature }),
    ...(body.top_p !== undefined && { topP: body.top_p }),
    ...(format === "json_object" && { responseFormat: { type: format } }),
    ...(format === "json_schema" && { responseFormat: { type: format, json_schema: schema } }),
    ...(effort && { effort }),
    stream: body.stream ?? false,
  }
}

/** What stands together was one answer: calls with the text before them, and all that has a provider's thinking in it. */
function messagesIn(host: Responses, input: Body["input"]): ModelMessage[] {
  if (typeof input === "string") return [{ role: "user", content: input }]
  const messages: ModelMessage[] = []
  function answered({ content = "", state = [], toolCalls = [] }: Partial<ModelMessage>, joins: (last: ModelMessage) => boolean): void {
    const last = messages.at(-1)
    const before = last?.role === "assistant" && joins(last) ? last : undefined
    const message: ModelMessage = {
      role: "assistant",
      content: before ? joined(before.content, content) : content,
      ...((before?.state || state.length > 0) && { state: [...(before?.state ?? []), ...state] }),
      ...((before?.toolCalls || toolCalls.length > 0) && { toolCalls: [...(before?.toolCalls ?? []), ...toolCalls] }),
    }
    messages.splice(before ? -1 : messages.length, 1, message)
  }
  for (const item of input as Item[]) {
    if (item.type === "reasoning") {
      // The summary is nothing that a model is to read again.
      const state = openState(item.encrypted_content)
      if (state) answered({ state: [state] }, (last) => last.state !== undefined)
    } else if (item.type === "function_call") {
      answered({ toolCalls: [{ id: item.call_id ?? "", name: item.name ?? "", arguments: objectIn(item.arguments ?? "") }] }, () => true)
    } else if (item.type === "function_call_output") messages.push({ role: "tool", content: contentIn(host, item.output ?? ""), toolCallId: item.call_id ?? "" })
    else if ((item.type === undefined || item.type === "message") && item.role) {
      const content = contentIn(host, item.content ?? "")
      if (item.role === "assistant") answered({ content }, (last) => last.state !== undefined)
      else messages.push({ role: item.role === "developer" ? "system" : (item.role as ModelMessage["role"]), content })
    } else throw host.fail("unsupported", { what: item.type === undefined || item.type === "message" ? "messages without a role" : `input of the type ${item.type}` })
  }
  return messages
}

function joined(before: ModelMessage["content"], content: ModelMessage["content"]): ModelMessage["content"] {
  if (before.length === 0) return content
  if (content.length === 0) return before
  if (typeof before === "string" && typeof content === "string") return before + content
  return [before, content].flatMap((one): readonly ContentPart[] => (typeof one === "string" ? [{ type: "text", text: one }] : one))
}

function contentIn(host: Responses, content: string | Part[]): ModelMessage["content"] {
  if (typeof content === "string") return content
  const parts = content.map((part): ContentPart => {
    if (part.type === "input_image" && part.image_url) return { type: "image", url: part.image_url }
    const text = part.text ?? part.refusal
    if (text === undefined) throw host.fail("unsupported", { what: `content of the type ${part.type}` })
    return { type: "text", text }
  })
  return parts.every((part) => part.type === "text") ? parts.map(({ text }) => text).join("") : parts
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
