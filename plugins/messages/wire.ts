import { anyGiven } from "@plugboard/sdk"
import { Type } from "typebox"

// Anthropic's Messages as the gateway serves them. Source: the public API reference, "Create a message".

const Block = Type.Object({ type: Type.String() })
/** Those of servers that run tools are refused. */
const Said = Type.Object({ type: Type.String({ documented: { enum: ["text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking"] } }) })
const Content = Type.Union([Type.String(), Type.Array(Said, { maxItems: 10_000 })])
const asked = {
  model: Type.String({ maxLength: 300, description: "PROVIDER/MODEL, or agent:AGENT; anything else means the default agent." }),
  messages: Type.Array(Type.Object({ role: Type.Enum(["user", "assistant", "system"]), content: Content }), { minItems: 1, maxItems: 100_000 }),
  system: Type.Optional(Type.Union([Type.String(), Type.Array(Block)])),
  tools: Type.Optional(
    Type.Array(
      Type.Object(
        {
          type: Type.Optional(Type.String({ description: "Tools that Anthropic runs itself are refused." })),
          name: Type.String(),
          description: Type.Optional(Type.String()),
          input_schema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        },
        { documented: anyGiven("input_schema") },
      ),
    ),
  ),
  tool_choice: Type.Optional(Type.Object({ type: Type.Enum(["auto", "any", "tool", "none"]), name: Type.Optional(Type.String()) })),
  thinking: Type.Optional(Type.Object({ type: Type.String(), budget_tokens: Type.Optional(Type.Integer()) })),
  output_config: Type.Optional(Type.Object({ effort: Type.Optional(Type.String()), format: Type.Optional(Type.Record(Type.String(), Type.Unknown())) })),
}

export const MessageRequest = Type.Object(
  {
    ...asked,
    max_tokens: Type.Integer({ minimum: 1, maximum: 2_000_000 }),
    stream: Type.Optional(Type.Boolean()),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    stop_sequences: Type.Optional(Type.Array(Type.String())),
  },
  { examples: [{ model: "agent:default", max_tokens: 1_024, messages: [{ role: "user", content: "Hello! Who are you?" }] }] },
)
export const CountRequest = Type.Object(asked, { examples: [{ model: "agent:default", messages: [{ role: "user", content: "Hello! Who are you?" }] }] })
export const Count = Type.Object({ input_tokens: Type.Integer({ description: "An estimate: providers count differently." }) })

export const Message = Type.Object({
  id: Type.String(),
  type: Type.Literal("message"),
  role: Type.Literal("assistant"),
  model: Type.String(),
  content: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  stop_reason: Type.Enum(["end_turn", "max_tokens", "tool_use", "refusal"]),
  stop_sequence: Type.Null(),
  usage: Type.Object({ input_tokens: Type.Integer(), output_tokens: Type.Integer(), cache_read_input_tokens: Type.Integer(), cache_creation_input_tokens: Type.Integer() }),
})
export const MessageEvent = Type.Object({ type: Type.String() })
