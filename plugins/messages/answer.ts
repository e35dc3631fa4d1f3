import { AnswerBuilder, type Delta, noUsage, sealState, type Usage } from "@plugboard/sdk"

// Anthropic's Messages, written. Source: the public API reference, "The message object".

export interface Shape {
  id: string
  model: string
}

const stopReasons = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use", content_filter: "refusal" } as const
export function stopReason(finish: keyof typeof stopReasons) {
  return stopReasons[finish]
}

/** What is read from a cache and written to it is counted beside the input. */
export function usageBody(usage: Usage) {
  return {
    input_tokens: usage.promptTokens - usage.cachedTokens - usage.cacheWriteTokens,
    output_tokens: usage.completionTokens,
    cache_read_input_tokens: usage.cachedTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
  }
}

export async function wholeMessage({ id, model }: Shape, deltas: AsyncIterable<readonly Delta[]>) {
  const builder = new AnswerBuilder()
  for await (const batch of deltas) builder.take(batch)
  const { content, thinking, state = [], toolCalls = [] } = builder.message()
  const sealed = state.map(sealState)
  const thought = thinking === undefined ? [] : [{ type: "thinking", thinking, signature: sealed.shift() ?? "" }]
  return {
    id,
    type: "message" as const,
    role: "assistant" as const,
    model,
    content: [
      ...thought,
      ...sealed.map((data) => ({ type: "redacted_thinking", data })),
      ...(content === "" ? [] : [{ type: "text", text: content }]),
      ...toolCalls.map((call) => ({ type: "tool_use", id: call.id, name: call.name, input: call.arguments })),
    ],
    stop_reason: stopReason(builder.finish),
    stop_sequence: null,
    usage: usageBody(builder.usage ?? noUsage),
  }
}
