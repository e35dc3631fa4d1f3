import { AgentFileStore, AgentFiles, AgentSections, Agents, defineManifest, Heartbeats, Runs, Sessions } from "@plugboard/sdk"
import { Type } from "typebox"

export const Config = Type.Object(
  {
    tickMs: Type.Integer({ default: 1_000, minimum: 50, maximum: 60_000, description: "How often a node looks for beats that are due, while there are any." }),
    maxRuns: Type.Integer({ default: 10, minimum: 1, maximum: 1_000, description: "Beats at work at once on this node; more wait for their turn." }),
    retryMs: Type.Integer({
      default: 2_000,
      minimum: 1,
      maximum: 60_000,
      description: "Pause before the second attempt of a beat; four times as long before each further one, 30 s at most.",
    }),
    leaseSeconds: Type.Integer({ default: 30, minimum: 3, maximum: 600, description: "How long after its gateway died a beat is taken over." }),
    keepLogs: Type.Integer({ default: 200, minimum: 1, maximum: 10_000, description: "Entries in the log of a heartbeat; sessions of isolated beats go with them." }),
  },
  { additionalProperties: false },
)

const Text = Type.String()
const Time = Type.String({ format: "date-time" })
const Count = Type.Integer()
const Agent = Type.Optional(Type.String({ maxLength: 100, description: "Agent key or UUID; the default agent when left out." }))
const Clock = (what: string) => Type.Optional(Type.String({ maxLength: 5, description: `${what}, as HH:MM; empty: none.` }))

/** Source: wire contract, websocket 4.18. */
const Heartbeat = Type.Object({
  id: Text,
  agentId: Text,
  enabled: Type.Boolean(),
  intervalSec: Count,
  prompt: Type.Optional(Text),
  providerId: Type.Optional(Text),
  providerName: Type.Optional(Text),
  model: Type.Optional(Text),
  isolatedSession: Type.Boolean(),
  lightContext: Type.Boolean(),
  ackMaxChars: Count,
  maxRetries: Count,
  activeHoursStart: Type.Optional(Text),
  activeHoursEnd: Type.Optional(Text),
  timezone: Type.Optional(Text),
  channel: Type.Optional(Text),
  chatId: Type.Optional(Text),
  nextRunAt: Type.Optional(Time),
  lastRunAt: Type.Optional(Time),
  lastStatus: Type.Optional(Text),
  lastError: Type.Optional(Text),
  runCount: Count,
  suppressCount: Count,
  createdAt: Time,
  updatedAt: Time,
})
const Log = Type.Object({
  id: Text,
  heartbeatId: Text,
  agentId: Text,
  status: Type.String({ description: "running, ok, suppressed, error or skipped." }),
  summary: Type.Optional(Text),
  error: Type.Optional(Text),
  durationMs: Type.Optional(Count),
  inputTokens: Count,
  outputTokens: Count,
  skipReason: Type.Optional(Type.String({ description: "Why it did not run, or why its answer went nowhere." })),
  ranAt: Time,
  createdAt: Time,
})
const Target = Type.Object({ channel: Text, chatId: Text, title: Type.Optional(Text), kind: Type.Enum(["dm", "group"]) })
const Change = {
  enabled: Type.Optional(Type.Boolean()),
  intervalSec: Type.Optional(Type.Integer({ minimum: 300, maximum: 2_592_000 })),
  prompt: Type.Optional(Type.String({ maxLength: 20_000, description: "What the agent is told at each beat; empty: to go through its checklist." })),
  providerName: Type.Optional(Type.String({ maxLength: 100, description: "Instead of the agent's own; empty: its own." })),
  model: Type.Optional(Type.String({ maxLength: 255 })),
  isolatedSession: Type.Optional(Type.Boolean({ description: "Each beat in a session of its own." })),
  lightContext: Type.Optional(Type.Boolean({ description: "The agent's own prompt and its checklist are all that it is told." })),
  ackMaxChars: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, description: "An answer with NO_REPLY and no more than that beside it is kept back." })),
  maxRetries: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
  activeHoursStart: Clock("When beats begin"),
  activeHoursEnd: Clock("When they end; before the beginning: on the next day"),
  timezone: Type.Optional(Type.String({ maxLength: 64, description: "IANA name; UTC when empty." })),
  channel: Type.Optional(Type.String({ maxLength: 100 })),
  chatId: Type.Optional(Type.String({ maxLength: 500 })),
}
/** As clients and archives have them. */
export const Settings = Type.Object(Change)
const One = { agentId: Agent }
const toAgent = { agent_id: "agentId" } as const
const Unknowns = Type.Array(Type.Record(Type.String(), Type.Unknown()))

export const manifest = defineManifest({
  id: "heartbeat",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Agents that look by the clock, within active hours, whether something on their checklist is to be done.",
  requires: [Agents, AgentFiles, AgentFileStore, Runs, Sessions],
  offers: [Heartbeats],
  contributes: [AgentSections],
  after: ["providers"],
  capabilities: { db: true },
  config: Config,
  rpc: {
    "heartbeat.get": {
      role: "viewer",
      summary: "An agent's heartbeat",
      params: Type.Object(One),
      result: Type.Object({ heartbeat: Type.Union([Heartbeat, Type.Null()]) }),
      aliases: toAgent,
    },
    "heartbeat.set": {
      role: "admin",
      summary: "Set up or change an agent's heartbeat",
      params: Type.Object({ ...One, ...Change }),
      result: Type.Object({ heartbeat: Heartbeat }),
      aliases: { ...toAgent, interval: "intervalSec" },
      order: "agentId",
    },
    "heartbeat.toggle": {
      role: "admin",
      summary: "Switch a heartbeat on or off",
      params: Type.Object({ ...One, enabled: Type.Boolean() }),
      result: Type.Object({ agentId: Text, enabled: Type.Boolean() }),
      aliases: toAgent,
      order: "agentId",
    },
    "heartbeat.test": {
      role: "admin",
      summary: "Beat now, on or off; answers before the run",
      params: Type.Object(One),
      result: Type.Object({ ok: Type.Literal(true) }),
      aliases: toAgent,
    },
    "heartbeat.logs": {
      role: "viewer",
      summary: "What became of beats, newest first",
      params: Type.Object({ ...One, limit: Type.Optional(Type.Number()), offset: Type.Optional(Type.Number()) }),
      result: Type.Union([Type.Object({ logs: Type.Array(Log), total: Count }), Unknowns]),
      aliases: toAgent,
    },
    "heartbeat.checklist.get": {
      role: "viewer",
      summary: "What an agent goes through at each beat (HEARTBEAT.md)",
      params: Type.Object(One),
      result: Type.Object({ content: Text }),
      aliases: toAgent,
    },
    "heartbeat.checklist.set": {
      role: "admin",
      summary: "Write that checklist",
      params: Type.Object({ ...One, content: Type.String({ maxLength: 100_000 }) }),
      result: Type.Object({ ok: Type.Literal(true), length: Count }),
      aliases: { ...toAgent, data: "content" },
      order: "agentId",
    },
    "heartbeat.targets": {
      role: "viewer",
      summary: "Where answers can go: sessions that the caller sees, the latest first",
      params: Type.Object(One),
      result: Type.Union([Type.Object({ targets: Type.Array(Target) }), Unknowns]),
      aliases: toAgent,
    },
  },
  events: {
    heartbeat: {
      payload: Type.Object({
        action: Type.Enum(["running", "completed", "suppressed", "error", "skipped"]),
        agentId: Text,
        agentKey: Type.Optional(Text),
        status: Type.Optional(Text),
        error: Type.Optional(Text),
        reason: Type.Optional(Text),
      }),
      to: "operators",
    },
    "heartbeat.changed": { payload: Type.Object({}), to: "internal" },
  },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Text }) },
    none: { kind: "NOT_FOUND", params: Type.Object({ agent: Text }) },
    bad_hours: { kind: "INVALID_REQUEST" },
    bad_timezone: { kind: "INVALID_REQUEST", params: Type.Object({ timezone: Text }) },
    unknown_provider: { kind: "INVALID_REQUEST", params: Type.Object({ provider: Text }) },
    interrupted: { kind: "UNAVAILABLE" },
    outside_hours: { kind: "UNAVAILABLE" },
    agent_resting: { kind: "UNAVAILABLE", params: Type.Object({ status: Text }) },
    nothing_to_do: { kind: "UNAVAILABLE" },
    no_channel: { kind: "UNAVAILABLE", params: Type.Object({ channel: Text }) },
    no_session: { kind: "NOT_FOUND", params: Type.Object({ session: Text }) },
  },
})
