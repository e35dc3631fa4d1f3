import { anyGiven } from "@plugboard/sdk"
import { Type } from "typebox"

// OpenAI's Responses as the gateway serves them. Source: the public API reference, "Create a model response".

const others = ["reasoning", "function_call", "function_call_output"]
const Item = Type.Object(
  {
    type: Type.Optional(Type.String({ documented: { enum: ["message", ...others] } })),
    role: Type.Optional(Type.Enum(["system", "developer", "user", "assistant"])),
  },
  { documented: { anyOf: [anyGiven("role"), { required: ["type"], properties: { type: { enum: others } } }] } },
)
const Named = Type.Record(Type.String(), Type.Unknown())

export const ResponseRequest = Type.Object(
  {
    model: Type.Optional(Type.String({ maxLength: 300, description: "PROVIDER/MODEL, or agent:AGENT; anything else means the default agent." })),
    input: Type.Union([Type.String({ minLength: 1 }), Type.Array(Item, { minItems: 1, maxItems: 10_000 })]),
    instructions: Type.Optional(Type.String()),
    previous_response_id: Type.Optional(Type.String({ maxLength: 100, description: "Goes on from a stored response of the same user." })),
    store: Type.Optional(Type.Boolean({ description: "Left out: true." })),
    stream: Type.Optional(Type.Boolean()),
    max_output_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_000_000 })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
    top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    tools: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: Type.String({ documented: { enum: ["function"] } }),
            name: Type.Optional(Type.String()),
            description: Type.Optional(Type.String()),
            parameters: Type.Optional(Named),
          },
          { documented: anyGiven("name") },
        ),
      ),
    ),
    tool_choice: Type.Optional(Type.Union([Type.Enum(["auto", "none", "required"]), Type.Object({ type: Type.String(), name: Type.Optional(Type.String()) })])),
    text: Type.Optional(Type.Object({ format: Type.Optional(Named) })),
    reasoning: Type.Optional(Type.Object({ effort: Type.Optional(Type.String()) })),
    metadata: Type.Optional(Named),
  },
  { examples: [{ model: "agent:default", input: "Hello! Who are you?" }] },
)

export const Response = Type.Object({
  id: Type.String(),
  object: Type.Literal("response"),
  created_at: Type.Integer({ description: "Unix seconds." }),
  status: Type.Enum(["in_progress", "completed", "incomplete"]),
  model: Type.String(),
  output: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  usage: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
})
export const ResponseEvent = Type.Object({ type: Type.String(), sequence_number: Type.Integer() })
