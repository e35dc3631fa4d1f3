import { AgentAnswers, defineManifest, Passthrough, sse } from "@plugboard/sdk"
import { Type } from "typebox"
import { Count, CountRequest, Message, MessageEvent, MessageRequest } from "./wire.ts"

const shared = { method: "POST", role: "operator", tags: ["Chat"], errors: "anthropic", limits: { rate: true } } as const

export const manifest = defineManifest({
  id: "messages",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Anthropic's Messages, on any provider and for agents.",
  requires: [AgentAnswers, Passthrough],
  routes: {
    create: {
      ...shared,
      path: "/v1/messages",
      summary: "Chat with a provider's model or an agent, in Anthropic's format",
      body: MessageRequest,
      reply: [Message, sse(MessageEvent)],
    },
    count: { ...shared, path: "/v1/messages/count_tokens", summary: "Estimate the tokens of a message, in Anthropic's format", body: CountRequest, reply: Count },
  },
  errors: { unsupported: { kind: "INVALID_REQUEST", params: Type.Object({ what: Type.String() }) } },
})
