import { anyGiven, defineManifest, PageQuery, Sessions } from "@plugboard/sdk"
import { Type } from "typebox"
import { TimelinePage } from "./timeline-wire.ts"

const Time = Type.String({ format: "date-time" })
const Key = Type.String({ minLength: 1, maxLength: 500, description: "Session key, such as agent:default:ws:direct:1." })

/** Source: wire contract, websocket 6.5. */
export const Message = Type.Object({
  id: Type.String(),
  role: Type.Enum(["user", "assistant", "tool", "system"]),
  content: Type.String(),
  thinking: Type.Optional(Type.String()),
  tool_calls: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), name: Type.String(), arguments: Type.Record(Type.String(), Type.Unknown()), parse_error: Type.Optional(Type.String()) })),
  ),
  tool_call_id: Type.Optional(Type.String()),
  is_error: Type.Optional(Type.Boolean()),
  created_at: Time,
})

/** Source: wire contract, websocket 4.4. */
const SessionInfo = Type.Object({
  key: Type.String(),
  messageCount: Type.Integer(),
  created: Time,
  updated: Time,
  label: Type.Optional(Type.String()),
  channel: Type.Optional(Type.String()),
  userID: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  model: Type.Optional(Type.String()),
  provider: Type.Optional(Type.String()),
  inputTokens: Type.Optional(Type.Integer()),
  outputTokens: Type.Optional(Type.Integer()),
  agentName: Type.Optional(Type.String()),
  estimatedTokens: Type.Optional(Type.Integer({ description: "That the model was shown by the latest request, with its answer." })),
  contextWindow: Type.Optional(Type.Integer({ description: "Of the agent, in model tokens." })),
  compactionCount: Type.Optional(Type.Integer()),
})
const SessionList = Type.Object({ sessions: Type.Array(SessionInfo), total: Type.Integer(), limit: Type.Integer(), offset: Type.Integer() })
const SessionRow = Type.Object({
  session_key: Type.String(),
  agent_id: Type.String(),
  user_id: Type.String(),
  label: Type.String(),
  channel: Type.String(),
  model: Type.String(),
  provider: Type.String(),
  message_count: Type.Integer(),
  input_tokens: Type.Integer(),
  output_tokens: Type.Integer(),
  created_at: Time,
  updated_at: Time,
})
const Preview = Type.Object({ key: Type.String(), messages: Type.Array(Message), summary: Type.String(), hasMore: Type.Optional(Type.Literal(true)) })
const Before = Type.String({ maxLength: 100, description: "Id of a message: those before it. Left out: the newest." })
const MessageId = Type.String({ maxLength: 100, description: "Id of the last message of the branch; left out: of the session." })
const Label = Type.String({ maxLength: 500 })
const Branched = Type.Object({ ok: Type.Literal(true), key: Type.String(), messageCount: Type.Integer() })
const RunId = Type.String({ maxLength: 100 })
const Change = {
  label: Type.Optional(Type.String({ maxLength: 500 })),
  model: Type.Optional(Type.String({ maxLength: 255 })),
  metadata: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 10_000 }))),
}
const Ok = Type.Object({ ok: Type.Literal(true) })
const Patched = Type.Object({ ok: Type.Literal(true), key: Type.String() })
const InPath = Type.Object({ key: Key })
const OfSession = Type.Object({ key: Key })
const aliases = { session_key: "key", sessionKey: "key" }
const tags = ["Sessions"]

export const manifest = defineManifest({
  id: "sessions",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Conversations: their messages, their runs, and who sees them.",
  offers: [Sessions],
  capabilities: { db: true },
  config: Type.Object(
    {
      historyMessages: Type.Integer({
        default: 400,
        minimum: 10,
        maximum: 5_000,
        description: "Messages of a session that a run looks back on, besides the summary of older ones.",
      }),
      pageMessages: Type.Integer({ default: 2_000, minimum: 10, maximum: 10_000, description: "Messages that one call shows at most; and no more than 4 MiB of them." }),
      leaseSeconds: Type.Integer({ default: 15, minimum: 3, maximum: 300, description: "How long a run outlives its gateway before another one ends it." }),
    },
    { additionalProperties: false },
  ),
  routes: {
    list: {
      method: "GET",
      path: "/v1/sessions",
      role: "viewer",
      summary: "List sessions",
      tags,
      query: Type.Object({
        ...PageQuery.properties,
        agent_id: Type.Optional(Type.String({ maxLength: 100 })),
        user_id: Type.Optional(Type.String({ maxLength: 255 })),
        channel: Type.Optional(Type.String({ maxLength: 100 })),
      }),
      reply: Type.Object({ ...SessionList.properties, payload: Type.Optional(Type.Array(SessionRow)) }),
    },
    preview: {
      method: "POST",
      path: "/v1/sessions/:key/preview",
      role: "viewer",
      summary: "Show a session's messages",
      tags,
      params: InPath,
      query: Type.Object({ limit: PageQuery.properties.limit, before: Type.Optional(Before) }),
      reply: Preview,
    },
    branch: {
      method: "POST",
      path: "/v1/sessions/:key/branch",
      role: "operator",
      summary: "Begin a new session with what this one holds up to a message",
      tags,
      params: InPath,
      body: Type.Object({ message_id: Type.Optional(MessageId), label: Type.Optional(Label) }),
      reply: Branched,
      status: 201,
    },
    timeline: {
      method: "GET",
      path: "/v1/runs/:runID/timeline",
      role: "viewer",
      summary: "What a run did",
      tags,
      params: Type.Object({ runID: RunId }),
      query: Type.Object({ ...PageQuery.properties, session_key: Type.Optional(Key) }),
      reply: Type.Object({ run_id: Type.String(), session_key: Type.String(), ...TimelinePage }),
    },
    reset: { method: "POST", path: "/v1/sessions/:key/reset", role: "operator", summary: "Clear a session", tags, params: InPath, reply: Ok },
    patch: {
      method: "PATCH",
      path: "/v1/sessions/:key",
      role: "operator",
      summary: "Change a session",
      tags,
      params: InPath,
      body: Type.Object(Change, { documented: anyGiven(...Object.keys(Change)) }),
      reply: Patched,
    },
    remove: { method: "DELETE", path: "/v1/sessions/:key", role: "operator", summary: "Remove a session", tags, params: InPath, reply: Ok },
  },
  rpc: {
    "sessions.list": {
      role: "viewer",
      summary: "List sessions",
      params: Type.Object({
        agentId: Type.Optional(Type.String({ maxLength: 100 })),
        channel: Type.Optional(Type.String({ maxLength: 100 })),
        limit: Type.Optional(Type.Number()),
        offset: Type.Optional(Type.Number()),
      }),
      result: SessionList,
      aliases: { agent_key: "agentId" },
    },
    "sessions.preview": {
      role: "viewer",
      summary: "Show a session's messages",
      params: Type.Object({ key: Key, limit: Type.Optional(Type.Integer({ minimum: 1 })), before: Type.Optional(Before) }),
      result: Preview,
      aliases,
    },
    "sessions.branch": {
      role: "operator",
      summary: "Begin a new session with what this one holds up to a message",
      params: Type.Object({ key: Key, messageId: Type.Optional(MessageId), label: Type.Optional(Label) }),
      result: Branched,
      aliases: { ...aliases, message_id: "messageId" },
    },
    "run.timeline.get": {
      role: "viewer",
      summary: "What a run did: the one named, else a session's latest",
      params: Type.Object({ runId: Type.Optional(RunId), sessionKey: Type.Optional(Key), limit: Type.Optional(Type.Number()), offset: Type.Optional(Type.Number()) }),
      result: Type.Object({ runId: Type.String(), sessionKey: Type.String(), ...TimelinePage }),
    },
    "sessions.patch": { role: "operator", summary: "Change a session", params: Type.Object({ key: Key, ...Change }), result: Patched, aliases, order: "key" },
    "sessions.label": {
      role: "operator",
      summary: "Name a session",
      params: Type.Object({ key: Key, label: Type.String({ maxLength: 500 }) }),
      result: Patched,
      aliases,
      order: "key",
    },
    "sessions.reset": { role: "operator", summary: "Clear a session", params: OfSession, result: Ok, aliases, order: "key" },
    "sessions.delete": { role: "operator", summary: "Remove a session", params: OfSession, result: Ok, aliases, order: "key" },
  },
  events: {
    "session.updated": { payload: Type.Object({ sessionKey: Type.String(), label: Type.String(), userId: Type.String() }), to: "user+admins" },
    "sessions.interrupted": {
      payload: Type.Object({ runId: Type.String(), sessionKey: Type.String(), agentKey: Type.String(), userId: Type.String(), channel: Type.String(), chatId: Type.String() }),
      to: "internal",
    },
    "sessions.turn_ready": { payload: Type.Object({ runId: Type.String(), node: Type.String() }), to: "internal" },
  },
  errors: {
    unknown_session: { kind: "NOT_FOUND", params: Type.Object({ key: Type.String() }) },
    foreign: { kind: "FORBIDDEN", params: Type.Object({ key: Type.String() }) },
    unknown_message: { kind: "NOT_FOUND", params: Type.Object({ message: Type.String() }) },
    unknown_run: { kind: "NOT_FOUND", params: Type.Object({ run: Type.String() }) },
    no_run_named: { kind: "INVALID_REQUEST" },
    busy: { kind: "FAILED_PRECONDITION", params: Type.Object({ key: Type.String() }) },
    nothing_to_change: { kind: "INVALID_REQUEST" },
  },
})
