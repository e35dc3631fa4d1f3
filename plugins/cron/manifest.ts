import { AgentParts, AgentSections, Agents, defineManifest, Runs, Sessions } from "@plugboard/sdk"
import { Type } from "typebox"
import { Schedule } from "./schedule-form.ts"

export const Config = Type.Object(
  {
    tickMs: Type.Integer({ default: 1_000, minimum: 50, maximum: 60_000, description: "How often a node looks for due jobs, while there are any." }),
    maxRuns: Type.Integer({ default: 20, minimum: 1, maximum: 1_000, description: "Jobs at work at once on this node; more wait for their turn." }),
    retries: Type.Integer({ default: 3, minimum: 0, maximum: 10, description: "Further attempts of a run that failed, or whose gateway died." }),
    retryMs: Type.Integer({
      default: 2_000,
      minimum: 1,
      maximum: 60_000,
      description: "Pause before the second attempt; four times as long before each further one, 30 s at most.",
    }),
    maxLateSeconds: Type.Integer({
      default: 3_600,
      minimum: 0,
      description: "A job that was due longer ago, while no gateway ran, is skipped to its next time. Jobs of one time only run all the same.",
    }),
    leaseSeconds: Type.Integer({ default: 30, minimum: 3, maximum: 600, description: "How long after its gateway died a job is taken over." }),
    keepRuns: Type.Integer({ default: 200, minimum: 1, maximum: 10_000, description: "Entries in the history of a job." }),
  },
  { additionalProperties: false },
)

const Ms = Type.Integer({ description: "Epoch milliseconds." })
const JobId = Type.String({ maxLength: 100 })
const Ref = Type.String({ maxLength: 100, description: "Agent key or UUID; the default agent when empty." })

/** Source: wire contract, websocket 4.6. */
const Job = Type.Object({
  id: Type.String(),
  tenantId: Type.String(),
  name: Type.String(),
  agentId: Type.Optional(Type.String()),
  userId: Type.String(),
  enabled: Type.Boolean(),
  schedule: Schedule,
  payload: Type.Object({
    kind: Type.Literal("agent_turn"),
    message: Type.String(),
    deliver: Type.Boolean(),
    channel: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
  }),
  deliver: Type.Boolean(),
  deliverChannel: Type.String(),
  deliverTo: Type.String(),
  wakeHeartbeat: Type.Boolean(),
  stateless: Type.Boolean(),
  state: Type.Object({
    nextRunAtMs: Type.Optional(Ms),
    lastRunAtMs: Type.Optional(Ms),
    lastStatus: Type.Optional(Type.Enum(["ok", "error", "running", "skipped"])),
    lastError: Type.Optional(Type.String()),
  }),
  createdAtMs: Ms,
  updatedAtMs: Ms,
  deleteAfterRun: Type.Boolean(),
})
const Entry = Type.Object({
  ts: Ms,
  jobId: Type.String(),
  status: Type.String(),
  error: Type.Optional(Type.String()),
  summary: Type.Optional(Type.String({ description: "The beginning of the answer." })),
  durationMs: Type.Optional(Type.Integer()),
  inputTokens: Type.Optional(Type.Integer()),
  outputTokens: Type.Optional(Type.Integer()),
})
const Message = Type.String({ maxLength: 100_000 })
const Name = Type.String({ maxLength: 100 })
const Change = {
  name: Type.Optional(Name),
  agentId: Type.Optional(Ref),
  enabled: Type.Optional(Type.Boolean()),
  schedule: Type.Optional(Schedule),
  message: Type.Optional(Message),
  deleteAfterRun: Type.Optional(Type.Boolean()),
  stateless: Type.Optional(Type.Boolean()),
  deliver: Type.Optional(Type.Boolean()),
  deliverChannel: Type.Optional(Type.String({ maxLength: 100 })),
  deliverTo: Type.Optional(Type.String({ maxLength: 500 })),
  channel: Type.Optional(Type.String({ maxLength: 100 })),
  to: Type.Optional(Type.String({ maxLength: 500 })),
  wakeHeartbeat: Type.Optional(Type.Boolean()),
}
/** Today's command-line client writes schedules and messages so. Source: wire contract, websocket 8.1. */
const Flat = {
  cron_expression: Type.Optional(Type.String({ maxLength: 100 })),
  timezone: Type.Optional(Type.String({ maxLength: 64 })),
  payload: Type.Optional(Type.Object({ message: Type.Optional(Message) })),
}
const Unknowns = Type.Record(Type.String(), Type.Unknown())
const Status = Type.Object({ enabled: Type.Boolean(), jobs: Type.Integer() })
const One = Type.Object({ jobId: Type.Optional(JobId) })
const toJob = { id: "jobId" } as const
/** Bare arrays are for today's command-line client. Source: wire contract, websocket 8.2. */
const Jobs = Type.Union([Type.Object({ jobs: Type.Array(Job), status: Status }), Type.Array(Unknowns)])
const Entries = Type.Union([Type.Object({ entries: Type.Array(Entry), total: Type.Integer() }), Type.Array(Unknowns)])

export const manifest = defineManifest({
  id: "cron",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Agents at work by the clock: once, every so often, or by a cron expression in any time zone.",
  requires: [Agents, Runs, Sessions],
  contributes: [AgentParts, AgentSections],
  capabilities: { db: true },
  config: Config,
  rpc: {
    "cron.list": { role: "viewer", summary: "Scheduled jobs", params: Type.Object({ includeDisabled: Type.Optional(Type.Boolean()) }), result: Jobs },
    "cron.status": { role: "viewer", summary: "How many jobs are scheduled", params: One, result: Type.Union([Status, Job]), aliases: toJob },
    "cron.create": { role: "operator", summary: "Schedule a message to an agent", params: Type.Object({ ...Change, ...Flat }), result: Unknowns },
    "cron.update": {
      role: "operator",
      summary: "Change a job",
      params: Type.Object({ ...One.properties, patch: Type.Optional(Type.Object(Change)), ...Flat, name: Change.name, enabled: Change.enabled }),
      result: Unknowns,
      aliases: toJob,
      order: "jobId",
    },
    "cron.delete": {
      role: "operator",
      summary: "Remove a job with its history",
      params: One,
      result: Type.Object({ deleted: Type.Literal(true) }),
      aliases: toJob,
      order: "jobId",
    },
    "cron.toggle": {
      role: "operator",
      summary: "Switch a job on or off",
      params: Type.Object({ ...One.properties, enabled: Type.Optional(Type.Boolean({ description: "The other way round when left out." })) }),
      result: Type.Object({ jobId: Type.String(), enabled: Type.Boolean() }),
      aliases: toJob,
      order: "jobId",
    },
    "cron.run": {
      role: "operator",
      summary: "Run a job now; answers before the run",
      params: Type.Object({ ...One.properties, mode: Type.Optional(Type.Enum(["due", "force"])) }),
      result: Type.Object({ ok: Type.Literal(true), ran: Type.Boolean({ description: "False: it runs already." }) }),
      aliases: toJob,
    },
    "cron.runs": {
      role: "viewer",
      summary: "What became of a job's runs, newest first",
      params: Type.Object({ ...One.properties, limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }),
      result: Entries,
      aliases: toJob,
    },
  },
  events: {
    cron: {
      payload: Type.Object({
        action: Type.Enum(["running", "completed", "error"]),
        jobId: Type.String(),
        jobName: Type.Optional(Type.String()),
        userId: Type.Optional(Type.String()),
        status: Type.Optional(Type.Enum(["ok", "error"])),
        error: Type.Optional(Type.String()),
      }),
      to: "user+admins",
    },
    "cron.changed": { payload: Type.Object({}), to: "internal" },
  },
  errors: {
    unknown_job: { kind: "NOT_FOUND", params: Type.Object({ job: Type.String() }) },
    no_such_job_to_run: { kind: "INVALID_REQUEST", params: Type.Object({ job: Type.String() }) },
    foreign_job: { kind: "FORBIDDEN", params: Type.Object({ job: Type.String() }) },
    bad_name: { kind: "INVALID_REQUEST", params: Type.Object({ name: Type.String() }) },
    no_message: { kind: "INVALID_REQUEST" },
    bad_schedule: { kind: "INVALID_REQUEST" },
    bad_delivery: { kind: "INVALID_REQUEST" },
    undelivered: { kind: "NOT_FOUND", params: Type.Object({ session: Type.String() }) },
    interrupted: { kind: "UNAVAILABLE" },
    too_late: { kind: "UNAVAILABLE", params: Type.Object({ seconds: Type.Integer() }) },
  },
})
