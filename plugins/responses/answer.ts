import { type AnswerBuilder, noUsage, type Usage } from "@plugboard/sdk"
import type { Body } from "./request.ts"

// Source: OpenAI's public API reference, "The response object".

export interface Shape {
  id: string
  createdAt: number
  body: Body
}
export type OutputItem = { type: string; id: string } & Record<string, unknown>

/** The object that is the answer, and that the first and last events of a stream carry. */
export function responseBody({ id, createdAt, body }: Shape, output: readonly OutputItem[], built?: AnswerBuilder) {
  const cut = built?.finish === "length" ? "max_output_tokens" : built?.finish === "content_filter" ? "content_filter" : undefined
  return {
    id,
    object: "response" as const,
    created_at: createdAt,
    status: built ? (cut ? ("incomplete" as const) : ("completed" as const)) : ("in_progress" as const),
    error: null,
    incomplete_details: cut ? { reason: cut } : null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: body.model ?? "",
    output: [...output],
    parallel_tool_calls: true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    store: body.store ?? true,
    temperature: body.temperature ?? null,
    text: { format: body.text?.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_p: body.top_p ?? null,
    truncation: "disabled",
    usage: built ? usageBody(built.usage ?? noUsage) : null,
  }
}

function usageBody(usage: Usage) {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
  }
}
