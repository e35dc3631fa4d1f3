import { defineManifest, PageQuery, Sessions } from "@plugboard/sdk"
import { Type } from "typebox"
import { Breakdown, ByAgent, Costs, Detail, Nine, Quotas, Records, Summary, TimeSeries } from "./shapes.ts"

const text = (description: string, maxLength = 255) => Type.Optional(Type.String({ maxLength, description }))
const Agent = text("Agent key or UUID.", 100)
const span = {
  from: text("RFC 3339 or YYYY-MM-DD; what cannot be read counts as left out.", 64),
  to: text("As `from`; a day counts whole, any other time not at all.", 64),
}
const Report = {
  ...span,
  period: text("1h, 24h, 7d, 30d or today, where `from` and `to` are left out; 24h is the usual one.", 32),
  agent_id: Agent,
  provider: text("Exactly this provider.", 100),
  model: text("Exactly this model."),
  channel: text("Exactly this channel."),
}
const GroupBy = (values: string) => text(`${values}; anything else acts as the first.`, 32)
const Exact = Type.Optional(
  Type.String({ maxLength: 64, description: "RFC 3339 or YYYY-MM-DD.", documented: { anyOf: [{ format: "date-time" }, { format: "date" }, { enum: [""] }] } }),
)
/** What cannot be read is refused here. */
const ExactReport = { ...Report, from: Exact, to: Exact }
const limit = Type.Optional(Type.String({ maxLength: 10, description: "The most rows; 1 to 1,000.", documented: { pattern: "^(0*([1-9][0-9]{0,2}|1000))?$" } }))
const tags = ["Usage"]

export const manifest = defineManifest({
  id: "usage",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "What agents, users and models have used and what it cost, over time.",
  requires: [Sessions],
  after: ["agents", "budgets", "passthrough"],
  capabilities: { db: true },
  config: Type.Object(
    { keepDays: Type.Integer({ default: 730, minimum: 31, maximum: 36_500, description: "How long the sums of an hour are kept." }) },
    { additionalProperties: false },
  ),
  routes: {
    timeseries: {
      method: "GET",
      path: "/v1/usage/timeseries",
      role: "viewer",
      summary: "Usage over time",
      tags,
      query: Type.Object({ ...Report, group_by: GroupBy("hour, day or week"), interval: GroupBy("The same as group_by") }),
      reply: TimeSeries,
    },
    summary: {
      method: "GET",
      path: "/v1/usage/summary",
      role: "viewer",
      summary: "Usage of a period and of the one before",
      tags,
      query: Type.Object(Report),
      reply: Summary,
    },
    breakdown: {
      method: "GET",
      path: "/v1/usage/breakdown",
      role: "viewer",
      summary: "Usage by provider, model, channel, agent or day",
      tags,
      query: Type.Object({ ...Report, group_by: GroupBy("provider, model, channel, agent or day") }),
      reply: Breakdown,
    },
    eventSeries: {
      method: "GET",
      path: "/v1/usage/events/timeseries",
      role: "viewer",
      summary: "Usage over time; times that cannot be read are refused",
      tags,
      query: Type.Object({ ...ExactReport, limit, group_by: GroupBy("hour, day or week"), interval: GroupBy("The same as group_by") }),
      reply: Type.Pick(TimeSeries, ["points"]),
    },
    eventShares: {
      method: "GET",
      path: "/v1/usage/events/breakdown",
      role: "viewer",
      summary: "Usage by provider, model, channel, agent or day; times that cannot be read are refused",
      tags,
      query: Type.Object({ ...ExactReport, limit, group_by: GroupBy("provider, model, channel, agent or day") }),
      reply: Type.Pick(Breakdown, ["rows"]),
    },
    eventSummary: {
      method: "GET",
      path: "/v1/usage/events/summary",
      role: "viewer",
      summary: "Usage of a period; times that cannot be read are refused",
      tags,
      query: Type.Object(ExactReport),
      reply: Type.Object({ summary: Nine }),
    },
    detail: {
      method: "GET",
      path: "/v1/usage",
      role: "viewer",
      summary: "Usage of sessions, the newest first",
      tags,
      query: Type.Object({ ...PageQuery.properties, ...span, agent_id: Agent, provider: Report.provider }),
      reply: Detail,
    },
    costs: {
      method: "GET",
      path: "/v1/costs/summary",
      role: "viewer",
      summary: "Cost by agent",
      tags: ["Costs"],
      query: Type.Object({ ...span, agent_id: Agent }),
      reply: Costs,
    },
  },
  rpc: {
    "usage.get": {
      role: "viewer",
      summary: "Usage of sessions, the newest first",
      params: Type.Object({ agentId: Agent, limit: Type.Optional(Type.Number()), offset: Type.Optional(Type.Number()) }),
      result: Records,
      aliases: { agent_id: "agentId" },
    },
    "usage.summary": { role: "viewer", summary: "Usage by agent", result: ByAgent },
    "quota.usage": { role: "viewer", summary: "Usage of today, and requests by user", result: Quotas },
  },
  errors: { bad_query: { kind: "INVALID_REQUEST", params: Type.Object({ field: Type.String() }) } },
  jobs: { add_up: { data: Type.Object({}), cron: "7 * * * *", timeoutSeconds: 900 } },
})
