import { defineManifest, Passthrough, Providers } from "@plugboard/sdk"
import { Type } from "typebox"

const Reason = Type.Object({ provider: Type.String(), reason: Type.String() })

export const manifest = defineManifest({
  id: "passthrough",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Calls of a tenant's providers by PROVIDER/MODEL, without an agent, each recorded with its usage.",
  requires: [Providers],
  after: ["budgets", "prices"],
  offers: [Passthrough],
  capabilities: { db: true },
  config: Type.Object(
    { keepDays: Type.Integer({ default: 90, minimum: 1, maximum: 3_650, description: "How long the record of a call is kept." }) },
    { additionalProperties: false },
  ),
  fires: ["llm.request", "llm.calling", "llm.stream", "llm.response", "llm.called", "run.finished"],
  jobs: { prune: { data: Type.Object({}), cron: "41 3 * * *" } },
  errors: {
    // A client of OpenAI's API acts on the status, so what it asked wrongly is its own fault here and not that of a server behind the gateway.
    refused: { kind: "INVALID_REQUEST", params: Reason },
    context_length: { kind: "INVALID_REQUEST", params: Reason, openai: { code: "context_length_exceeded" } },
    content_filter: { kind: "INVALID_REQUEST", params: Reason, openai: { code: "content_filter" } },
    unknown_model: { kind: "NOT_FOUND", params: Reason, openai: { code: "model_not_found" } },
    limited: { kind: "RESOURCE_EXHAUSTED", params: Reason, openai: { type: "rate_limit_error", code: "rate_limit_exceeded" } },
    overloaded: { kind: "UNAVAILABLE", params: Reason },
    provider_off: { kind: "NOT_FOUND", params: Type.Object({ provider: Type.String() }), openai: { code: "model_not_found" } },
    no_embeddings: { kind: "INVALID_REQUEST", params: Type.Object({ provider: Type.String() }) },
    one_choice: { kind: "INVALID_REQUEST", params: Type.Object({ provider: Type.String() }) },
    unsupported_member: { kind: "INVALID_REQUEST", params: Type.Object({ member: Type.String(), provider: Type.String() }) },
  },
})
