import { AgentAnswers, Agents, defineManifest, Providers, Runs, Sessions, sse, Tools } from "@plugboard/sdk"
import { Type } from "typebox"
import { ChatRequest, Completion, CompletionChunk } from "./completion-wire.ts"

const Key = Type.String({ minLength: 1, maxLength: 500 })
const AgentRef = Type.String({ maxLength: 100, description: "Agent key or UUID." })
const Unknowns = Type.Record(Type.String(), Type.Unknown())
const tags = ["Chat"]

export const Config = Type.Object(
  {
    maxRuns: Type.Integer({ default: 2_000, minimum: 1, description: "Runs at once on this node; more are refused with 503." }),
    runTimeoutMs: Type.Integer({ default: 600_000, minimum: 1_000, description: "Longest run." }),
    rejoinMs: Type.Integer({
      default: 60_000,
      minimum: 1_000,
      maximum: 600_000,
      description: "How long a numbered stream goes on without its client, and can be read when it has ended.",
    }),
    toolTimeoutMs: Type.Integer({ default: 60_000, minimum: 100, description: "Longest call of a tool." }),
    maxHistoryChars: Type.Integer({ default: 1_000_000, minimum: 1_000, description: "Text of earlier messages that one request carries at most; the oldest are left out first." }),
  },
  { additionalProperties: false },
)

/** Source: wire contract, websocket 5.1. */
const AgentEvent = Type.Object({
  type: Type.String(),
  agentId: Type.String(),
  runId: Type.String(),
  seq: Type.Optional(Type.Integer({ description: "Number in the run, from 0; of several deltas in one event that of the last. chat.events goes on from any of them." })),
  payload: Type.Optional(Unknowns),
  sessionKey: Type.String(),
  channel: Type.String(),
  chatId: Type.String(),
  userId: Type.String(),
  runKind: Type.Optional(Type.Enum(["delegation", "announce"], { description: "Left out for runs that a user has started." })),
  delegationId: Type.Optional(Type.String()),
  parentAgentId: Type.Optional(Type.String({ description: "Key of the agent that has handed the work on." })),
})

export const manifest = defineManifest({
  id: "chat",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The run engine, and chats over OpenAI's route and the socket.",
  requires: [Agents, Providers, Sessions],
  after: ["budgets", "prices"],
  offers: [Runs, AgentAnswers],
  opens: [Tools],
  contributes: [Tools],
  capabilities: { db: true },
  config: Config,
  fires: [
    "run.requested",
    "prompt.assembling",
    "tools.resolving",
    "llm.request",
    "llm.calling",
    "llm.stream",
    "llm.response",
    "llm.called",
    "tool.calling",
    "tool.called",
    "run.finished",
  ],
  listens: ["sessions.interrupted", "sessions.turn_ready"],
  routes: {
    completions: {
      method: "POST",
      path: "/v1/chat/completions",
      role: "operator",
      summary: "Chat with an agent or a provider's model, in OpenAI's format",
      tags,
      body: ChatRequest,
      reply: [Completion, sse(CompletionChunk)],
      errors: "openai",
      limits: { rate: true },
    },
    models: {
      method: "GET",
      path: "/v1/models",
      role: "viewer",
      summary: "List agents and the models of providers, in OpenAI's format",
      tags,
      reply: Type.Object({
        object: Type.Literal("list"),
        data: Type.Array(Type.Object({ id: Type.String(), object: Type.Literal("model"), created: Type.Integer(), owned_by: Type.String() })),
      }),
      errors: "openai",
    },
    wake: {
      method: "POST",
      path: "/v1/agents/:id/wake",
      role: "operator",
      summary: "Give an agent one turn from outside",
      tags: ["Agents"],
      params: Type.Object({ id: AgentRef }),
      body: Type.Object({
        message: Type.Optional(Type.String({ maxLength: 500_000, description: "Without one the agent is woken aside, and the answer comes at once." })),
        session_key: Type.Optional(Key),
        user_id: Type.Optional(Type.String({ maxLength: 255, description: "Run as this user: for admins, and for keys without an owner." })),
        metadata: Type.Optional(Unknowns),
      }),
      reply: Type.Object({
        content: Type.String(),
        run_id: Type.String(),
        usage: Type.Optional(Unknowns),
        ok: Type.Optional(Type.Literal(true)),
        status: Type.Optional(Type.Literal("started")),
      }),
      limits: { rate: true },
    },
  },
  rpc: {
    "agent.wait": {
      role: "viewer",
      summary: "Wait until an agent, or one session, has no run under way",
      params: Type.Object({
        agentId: Type.Optional(AgentRef),
        sessionKey: Type.Optional(Key),
        timeout: Type.Optional(Type.Number({ minimum: 0, maximum: 600, description: "Seconds; 60 when left out." })),
      }),
      result: Type.Object({ id: Type.String(), status: Type.Enum(["idle", "running"]) }),
    },
    "chat.send": {
      role: "operator",
      summary: "Say something to an agent; answers when its run has ended",
      params: Type.Object({
        message: Type.String({ maxLength: 500_000 }),
        agentId: Type.Optional(AgentRef),
        sessionKey: Type.Optional(Key),
        stream: Type.Optional(Type.Boolean()),
        media: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 20 })),
        chatId: Type.Optional(Type.String({ maxLength: 255 })),
        modelOverride: Type.Optional(Type.String({ maxLength: 255 })),
        idempotencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
      }),
      result: Unknowns,
      aliases: { agent_key: "agentId" },
      limits: { rate: true },
    },
    "chat.history": {
      role: "viewer",
      summary: "The messages of a session: the newest, or those before one of them",
      params: Type.Object({
        sessionKey: Key,
        agentId: Type.Optional(AgentRef),
        limit: Type.Optional(Type.Integer({ minimum: 1 })),
        before: Type.Optional(Type.String({ maxLength: 100, description: "Id of a message. Left out: all messages, as far as one answer has room for them." })),
      }),
      result: Type.Object({
        messages: Type.Array(Unknowns),
        hasMore: Type.Optional(Type.Literal(true, { description: "There are older ones; ask for those before the first of these." })),
      }),
      aliases: { agent_key: "agentId" },
    },
    "chat.abort": {
      role: "operator",
      summary: "Stop the run of a session",
      params: Type.Object({ sessionKey: Type.Optional(Key), runId: Type.Optional(Type.String({ maxLength: 100 })), agentId: Type.Optional(AgentRef) }),
      result: Type.Object({
        ok: Type.Literal(true),
        aborted: Type.Boolean(),
        stopped: Type.Boolean(),
        forced: Type.Boolean(),
        alreadyAborting: Type.Boolean(),
        notFound: Type.Boolean(),
        unauthorized: Type.Boolean(),
        runIds: Type.Union([Type.Array(Type.String()), Type.Null()]),
      }),
      aliases: { agent_key: "agentId" },
    },
    "chat.inject": {
      role: "operator",
      summary: "Add an assistant message without a run",
      params: Type.Object({
        sessionKey: Type.Optional(Key),
        agentId: Type.Optional(AgentRef),
        message: Type.String({ minLength: 1, maxLength: 500_000 }),
        label: Type.Optional(Type.String({ maxLength: 100 })),
      }),
      result: Type.Object({ ok: Type.Literal(true), messageId: Type.String() }),
      aliases: { agent_key: "agentId", text: "message" },
    },
    "chat.events": {
      role: "viewer",
      summary: "What a run under way has told so far, for a client that comes back",
      params: Type.Object({
        runId: Type.Optional(Type.String({ maxLength: 100 })),
        sessionKey: Type.Optional(Key),
        agentId: Type.Optional(AgentRef),
        from: Type.Optional(Type.Integer({ minimum: 0, description: "The first number that is missing. 0: all." })),
      }),
      result: Type.Object({
        runId: Type.String(),
        isRunning: Type.Boolean(),
        events: Type.Array(Type.Object({ seq: Type.Integer(), type: Type.String(), payload: Type.Optional(Unknowns) }), {
          description: "At most 1,000. Empty when the run has ended: its messages are in the history then.",
        }),
      }),
      aliases: { agent_key: "agentId" },
    },
    "sessions.follow": {
      role: "viewer",
      summary: "Get the events of a session's runs on this socket, whoever starts them, on any node",
      params: Type.Object({ key: Key }),
      result: Type.Object({
        ok: Type.Literal(true),
        key: Type.String(),
        runId: Type.String({ description: "Of the run under way, whose events come from the first on; empty: of none." }),
      }),
      aliases: { session_key: "key", sessionKey: "key" },
      order: "key",
    },
    "sessions.unfollow": {
      role: "viewer",
      summary: "Follow a session no more",
      params: Type.Object({ key: Key }),
      result: Type.Object({ ok: Type.Literal(true), followed: Type.Boolean() }),
      aliases: { session_key: "key", sessionKey: "key" },
      order: "key",
    },
    "chat.session.status": {
      role: "viewer",
      summary: "Whether a run is under way in a session",
      params: Type.Object({ sessionKey: Type.Optional(Key), agentId: Type.Optional(AgentRef) }),
      result: Type.Object({ isRunning: Type.Boolean(), runId: Type.String(), activity: Type.Union([Unknowns, Type.Null()]) }),
      aliases: { agent_key: "agentId" },
    },
  },
  events: {
    agent: {
      payload: AgentEvent,
      to: "user+admins",
      flow: { field: "type", key: "runId", merge: ["chunk", "thinking"], text: ["payload", "content"], keep: ["run.completed", "run.failed", "run.cancelled"] },
    },
    // The command-line client of today listens for these at top level. Source: wire contract, websocket 8.3.
    "run.started": { payload: Unknowns, to: "socket" },
    chunk: { payload: Unknowns, to: "socket" },
    "tool.call": { payload: Unknowns, to: "socket" },
    "tool.result": { payload: Unknowns, to: "socket" },
    "run.completed": { payload: Unknowns, to: "socket" },
    "chat.injected": { payload: Type.Object({ runId: Type.String() }), to: "internal" },
    "chat.rejoined": { payload: Type.Object({ runId: Type.String() }), to: "internal" },
    "chat.aborting": { payload: Type.Object({ runId: Type.String() }), to: "internal" },
  },
  jobs: { prune: { data: Type.Object({}), cron: "17 3 * * *" } },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }), openai: { code: "model_not_found" } },
    no_message: { kind: "INVALID_REQUEST" },
    unknown_session: { kind: "NOT_FOUND", params: Type.Object({ key: Type.String() }) },
    unknown_run: { kind: "NOT_FOUND", params: Type.Object({ run: Type.String() }) },
    foreign_session: { kind: "FORBIDDEN", params: Type.Object({ key: Type.String() }) },
    session_full: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ key: Type.String() }) },
    session_needed: { kind: "INVALID_REQUEST" },
    no_provider: { kind: "UNAVAILABLE" },
    run_failed: { kind: "INTERNAL", params: Type.Object({ cause: Type.String() }) },
    run_without_answer: { kind: "UPSTREAM_FAILED", params: Type.Object({ cause: Type.String() }) },
    run_timeout: { kind: "AGENT_TIMEOUT", params: Type.Object({ ms: Type.Integer() }) },
    run_interrupted: { kind: "UNAVAILABLE" },
    run_broken: { kind: "INTERNAL", params: Type.Object({ run: Type.String() }) },
    // Not a conflict, which OpenAI's clients would answer by asking again.
    run_cancelled: { kind: "UNPROCESSABLE" },
    follows_too_much: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ most: Type.Integer() }) },
    too_many_runs: { kind: "UNAVAILABLE" },
    stopping: { kind: "UNAVAILABLE" },
  },
})
