import type { ContentPart, LlmRequest, ModelMessage, ToolCall } from "@plugboard/sdk"
import type { Body } from "./asked.ts"

/** The client's body with what a plugin changed in the request that was read from it. All that it left alone stays as the client sent it. */
export function withChanges(body: Body, before: LlmRequest, after: LlmRequest): Body {
  const changed = (name: keyof LlmRequest) => after[name] !== before[name]
  const limit = "max_completion_tokens" in body ? "max_completion_tokens" : "max_tokens"
  return {
    ...body,
    model: after.model,
    ...(changed("messages") && { messages: after.messages.map((message) => messageBody(message, before, body)) }),
    ...(changed("tools") && { tools: after.tools?.map((tool) => ({ type: "function", function: tool })) }),
    ...(changed("toolChoice") && { tool_choice: typeof after.toolChoice === "object" ? { type: "function", function: after.toolChoice } : after.toolChoice }),
    ...(changed("maxTokens") && { [limit]: after.maxTokens }),
    ...(changed("temperature") && { temperature: after.temperature }),
    ...(changed("topP") && { top_p: after.topP }),
    ...(changed("stop") && { stop: after.stop }),
    ...(changed("responseFormat") && { response_format: after.responseFormat }),
    ...(changed("effort") && { reasoning_effort: after.effort }),
  }
}

/** A message that the plugin left as it was is the client's own, with all that we do not read. */
function messageBody(message: ModelMessage, before: LlmRequest, body: Body): unknown {
  const at = before.messages.indexOf(message)
  if (at >= 0) return (body.messages as unknown[])[at]
  return {
    role: message.role,
    content: typeof message.content === "string" ? message.content : message.content.map(partBody),
    ...(message.toolCalls?.length && { tool_calls: message.toolCalls.map(callBody) }),
    ...(message.role === "tool" && { tool_call_id: message.toolCallId }),
  }
}

function partBody(part: ContentPart): object {
  return part.type === "text" ? part : { type: "image_url", image_url: { url: part.url } }
}

/** A call as OpenAI's format has it. */
export function callBody({ id, name, arguments: args }: ToolCall): object {
  return { id, type: "function", function: { name, arguments: JSON.stringify(args) } }
}
