import { AgentAnswers, defineManifest, Passthrough, sse } from "@plugboard/sdk"
import { Type } from "typebox"
import { Response, ResponseEvent, ResponseRequest } from "./wire.ts"

export const manifest = defineManifest({
  id: "responses",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "OpenAI's Responses, on any provider and for agents.",
  requires: [AgentAnswers, Passthrough],
  capabilities: { db: true },
  config: Type.Object(
    { keepDays: Type.Integer({ default: 30, minimum: 1, maximum: 3_650, description: "How long a stored response can be gone on from." }) },
    { additionalProperties: false },
  ),
  routes: {
    create: {
      method: "POST",
      path: "/v1/responses",
      role: "operator",
      summary: "Ask a provider's model or an agent, in the format of OpenAI's Responses",
      tags: ["Chat"],
      body: ResponseRequest,
      reply: [Response, sse(ResponseEvent)],
      errors: "openai",
      limits: { rate: true },
    },
  },
  jobs: { prune: { data: Type.Object({}), cron: "47 3 * * *" } },
  errors: {
    unsupported: { kind: "INVALID_REQUEST", params: Type.Object({ what: Type.String() }) },
    unknown_response: { kind: "NOT_FOUND", params: Type.Object({ id: Type.String() }), openai: { code: "previous_response_not_found" } },
  },
})
