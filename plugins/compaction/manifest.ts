import { Agents, Compaction, defineManifest, Providers, Sessions } from "@plugboard/sdk"
import { Type } from "typebox"

const Key = Type.String({ minLength: 1, maxLength: 500, description: "Session key, such as agent:default:ws:direct:1." })
const KeepLast = Type.Integer({ minimum: 1, maximum: 1_000, description: "Messages that stay as they are; 4 when left out. A call of tools stays with its results." })
/** Source: wire contract, websocket 4.4. */
const Compacted = Type.Object({
  ok: Type.Literal(true),
  original: Type.Optional(Type.Integer({ description: "Messages that the model was shown." })),
  kept: Type.Integer({ description: "Those of them that it is shown from now on, behind the summary." }),
  message: Type.Optional(Type.String({ description: "Why there was nothing to do." })),
})

export const Config = Type.Object(
  {
    historyShare: Type.Number({
      default: 0.75,
      minimum: 0.05,
      maximum: 0.95,
      description: "Share of the agent's context window that a request may take before old messages are summarized.",
    }),
    reserveTokens: Type.Integer({ default: 16_000, minimum: 0, maximum: 1_000_000, description: "Kept free for the answer, but no more than a fourth of the window." }),
    keepMessages: Type.Integer({ default: 20, minimum: 1, maximum: 1_000, description: "Newest messages that stay as they are, as far as they fit into two fifths of that." }),
    summaryTokens: Type.Integer({ default: 4_000, minimum: 200, maximum: 50_000, description: "Longest summary, with what the model thinks on the way to it." }),
    timeoutMs: Type.Integer({ default: 90_000, minimum: 1_000, maximum: 600_000, description: "Longest wait for one summary; the oldest turns are left out then." }),
    restMs: Type.Integer({ default: 300_000, minimum: 0, maximum: 86_400_000, description: "How long a session that could not be summarized is not tried again." }),
  },
  { additionalProperties: false },
)

export const manifest = defineManifest({
  id: "compaction",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Keeps conversations within the windows of their models: old messages become a summary, and stay stored.",
  requires: [Agents, Providers, Sessions],
  after: ["system-configs"],
  offers: [Compaction],
  config: Config,
  fires: ["llm.request", "llm.stream", "llm.response", "run.finished"],
  routes: {
    compact: {
      method: "POST",
      path: "/v1/sessions/:key/compact",
      role: "operator",
      summary: "Summarize a session's old messages now",
      tags: ["Sessions"],
      params: Type.Object({ key: Key }),
      body: Type.Object({ keep_last: Type.Optional(KeepLast) }),
      reply: Compacted,
    },
  },
  rpc: {
    "sessions.compact": {
      role: "operator",
      summary: "Summarize a session's old messages now",
      params: Type.Object({ key: Key, keepLast: Type.Optional(KeepLast) }),
      result: Compacted,
      aliases: { session_key: "key", sessionKey: "key", keep_last: "keepLast" },
      order: "key",
    },
  },
  events: {
    "background.error": {
      payload: Type.Object({ reason: Type.String(), worker: Type.String(), message: Type.String(), timestamp: Type.String({ format: "date-time" }) }),
      to: "admins",
    },
  },
  errors: {
    unknown_session: { kind: "NOT_FOUND", params: Type.Object({ key: Type.String() }) },
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    busy: { kind: "FAILED_PRECONDITION", params: Type.Object({ key: Type.String() }) },
    no_provider: { kind: "UNAVAILABLE" },
    no_summary: { kind: "UPSTREAM_FAILED", params: Type.Object({ cause: Type.String() }) },
    empty_summary: { kind: "UPSTREAM_FAILED" },
    changed_meanwhile: { kind: "FAILED_PRECONDITION", params: Type.Object({ key: Type.String() }) },
  },
})
