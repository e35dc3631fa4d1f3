import { defineManifest, Passthrough } from "@plugboard/sdk"
import { Type } from "typebox"

const Tokens = Type.Array(Type.Integer(), { minItems: 1 })
/** Source: OpenAI's public API reference, "Create embeddings". */
const EmbeddingRequest = Type.Object(
  {
    model: Type.String({ maxLength: 300, description: "PROVIDER/MODEL." }),
    input: Type.Union([
      Type.String({ minLength: 1 }),
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 2_048 }),
      Tokens,
      Type.Array(Tokens, { minItems: 1, maxItems: 2_048 }),
    ]),
    encoding_format: Type.Optional(Type.Enum(["float", "base64"])),
    dimensions: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    user: Type.Optional(Type.String({ maxLength: 255 })),
  },
  { description: "Further fields go to the provider as they are." },
)
const Embeddings = Type.Object({
  object: Type.Literal("list"),
  model: Type.String(),
  data: Type.Array(
    Type.Object({
      object: Type.Literal("embedding"),
      index: Type.Integer(),
      embedding: Type.Union([Type.Array(Type.Number()), Type.String({ description: "Base64 of 32-bit floats, the lowest byte first." })]),
    }),
  ),
  usage: Type.Optional(Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer() })),
})

export const manifest = defineManifest({
  id: "embeddings",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "OpenAI's embeddings, from any provider that makes some.",
  requires: [Passthrough],
  routes: {
    create: {
      method: "POST",
      path: "/v1/embeddings",
      role: "operator",
      summary: "Turn texts into vectors, in OpenAI's format",
      tags: ["Chat"],
      body: EmbeddingRequest,
      reply: Embeddings,
      errors: "openai",
      limits: { rate: true },
    },
  },
  errors: { unknown_model: { kind: "NOT_FOUND", params: Type.Object({ model: Type.String() }), openai: { code: "model_not_found" } } },
})
