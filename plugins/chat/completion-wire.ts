import type { Usage } from "@plugboard/sdk"
import { Type } from "typebox"

// OpenAI's chat completions as the gateway serves them. Source: wire contract, http-core 3.

const Part = Type.Object({
  type: Type.String(),
  text: Type.Optional(Type.String()),
  image_url: Type.Optional(Type.Object({ url: Type.String() })),
})
export const ChatRequest = Type.Object(
  {
    messages: Type.Array(
      Type.Object({
        role: Type.Enum(["system", "developer", "user", "assistant", "tool", "function"]),
        content: Type.Optional(Type.Union([Type.String(), Type.Array(Part, { maxItems: 1_000 }), Type.Null()])),
        name: Type.Optional(Type.String()),
      }),
      { minItems: 1, maxItems: 10_000, description: "The last user message starts the run; earlier ones become its history, system texts its instructions." },
    ),
    model: Type.Optional(
      Type.String({
        maxLength: 300,
        description: "goclaw:AGENT or agent:AGENT; PROVIDER/MODEL for a model of a provider, without an agent; anything else means the default agent.",
      }),
    ),
    agent: Type.Optional(Type.String({ maxLength: 100, description: "Agent key, for clients that send no model." })),
    stream: Type.Optional(Type.Boolean()),
    stream_options: Type.Optional(Type.Object({ include_usage: Type.Optional(Type.Boolean()) })),
    user: Type.Optional(Type.String({ maxLength: 255, description: "External user, when neither the key nor a header names one." })),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_000_000 })),
    max_completion_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_000_000 })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  },
  {
    examples: [{ model: "agent:default", messages: [{ role: "user", content: "Hello! Who are you?" }] }],
    description: "A provider gets all fields of OpenAI's API as they are. With an agent further ones are accepted and not used: its tools run in the gateway.",
  },
)

const WireUsage = Type.Object({
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
  prompt_tokens_details: Type.Optional(Type.Object({ cached_tokens: Type.Integer() })),
  completion_tokens_details: Type.Optional(Type.Object({ reasoning_tokens: Type.Integer() })),
})
const Finish = Type.Enum(["stop", "length", "content_filter", "tool_calls"])
/** Of a provider's model: an agent calls its tools itself. */
const ToolCalls = Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown())))
export const Completion = Type.Object({
  id: Type.String(),
  object: Type.Literal("chat.completion"),
  created: Type.Integer({ description: "Unix seconds." }),
  model: Type.String(),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      message: Type.Object({ role: Type.Literal("assistant"), content: Type.Union([Type.String(), Type.Null()]), tool_calls: ToolCalls }),
      finish_reason: Finish,
    }),
  ),
  usage: Type.Optional(WireUsage),
})
export const CompletionChunk = Type.Object({
  id: Type.String(),
  object: Type.Literal("chat.completion.chunk"),
  created: Type.Integer(),
  model: Type.String(),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      delta: Type.Object({ role: Type.Optional(Type.Literal("assistant")), content: Type.Optional(Type.Union([Type.String(), Type.Null()])), tool_calls: ToolCalls }),
      finish_reason: Type.Union([Finish, Type.Null()]),
    }),
  ),
  usage: Type.Optional(Type.Union([WireUsage, Type.Null()])),
})

export function wireUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    ...(usage.cachedTokens > 0 && { prompt_tokens_details: { cached_tokens: usage.cachedTokens } }),
    ...(usage.reasoningTokens > 0 && { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
  }
}
