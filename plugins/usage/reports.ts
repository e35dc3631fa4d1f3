import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Tail } from "./adding-up.ts"
import { rowsOf } from "./hours.ts"
import type { Range } from "./period.ts"

/** What is reported on; null does not narrow. */
export interface Scope extends Range {
  /** Key or UUID. */
  agent: string | null
  provider: string | null
  model: string | null
  channel: string | null
}

const Text = Type.String()
const Whole = Type.Integer()
const sumsRow = {
  requests: Whole,
  errors: Whole,
  inputTokens: Whole,
  outputTokens: Whole,
  cacheReadTokens: Whole,
  cacheWriteTokens: Whole,
  thinkingTokens: Whole,
  llmCalls: Whole,
  toolCalls: Whole,
  costNanoUsd: Whole,
  avgDurationMs: Whole,
  users: Whole,
}
const Sums = Type.Object(sumsRow)
export type Sums = Static<typeof Sums>

const total = (column: string) => sql.fragment`coalesce(sum(${sql.identifier([column])}), 0)::bigint`
const sums = sql.fragment`${total("requests")} AS requests, ${total("errors")} AS errors, ${total("input_tokens")} AS "inputTokens", ${total("output_tokens")} AS "outputTokens",
  ${total("cache_read_tokens")} AS "cacheReadTokens", ${total("cache_write_tokens")} AS "cacheWriteTokens", ${total("thinking_tokens")} AS "thinkingTokens", ${total("llm_calls")} AS "llmCalls",
  ${total("tool_calls")} AS "toolCalls", ${total("cost_nano_usd")} AS "costNanoUsd", coalesce(round(sum(duration_ms) / nullif(sum(requests), 0)), 0)::bigint AS "avgDurationMs",
  count(DISTINCT user_id) AS users`
const columns = sql.fragment`hour, agent_key, agent_id, user_id, channel, provider, model, requests, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, thinking_tokens,
  llm_calls, tool_calls, cost_nano_usd, unpriced, duration_ms`

/** What was added up, and the tail behind it. Another node may have moved the mark since the tail was read: the hours behind it are in the tail. */
function used({ upTo, groups }: Tail, { from, to, agent, provider, model, channel }: Scope) {
  const [begin, end] = [new Date(from).toISOString(), new Date(to).toISOString()]
  return sql.fragment`(SELECT ${columns} FROM usage.hours WHERE hour < ${upTo}::timestamptz UNION ALL ${rowsOf(groups)}) used
    WHERE hour >= ${begin}::timestamptz AND hour < ${end}::timestamptz AND (${agent}::text IS NULL OR agent_key = ${agent} OR agent_id = lower(${agent}))
      AND (${provider}::text IS NULL OR provider = ${provider}) AND (${model}::text IS NULL OR model = ${model}) AND (${channel}::text IS NULL OR channel = ${channel})`
}

export function totals(db: Queries, tail: Tail, scope: Scope): Promise<Sums> {
  return db.one(sql.type(row(Sums))`SELECT ${sums} FROM ${used(tail, scope)}`)
}

const Point = Type.Object({ at: Text, ...sumsRow })
export type Point = Static<typeof Point>

/** By time; 10,000 at most, which are more than a year of hours. Weeks begin on Monday; days and hours are those of UTC. */
export function points(db: Queries, tail: Tail, scope: Scope, unit: "hour" | "day" | "week"): Promise<readonly Point[]> {
  return db.any(sql.type(row(Point))`SELECT date_trunc(${unit}, hour, 'UTC') AS at, ${sums} FROM ${used(tail, scope)} GROUP BY 1 ORDER BY 1 LIMIT 10000`)
}

const keys = {
  provider: sql.fragment`provider`,
  model: sql.fragment`model`,
  channel: sql.fragment`channel`,
  agent: sql.fragment`coalesce(agent_id, agent_key)`,
  day: sql.fragment`to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
}
export type Dimension = keyof typeof keys
const Share = Type.Object({ key: Text, ...sumsRow })
export type Share = Static<typeof Share>

/** The largest first, by input tokens; channels by requests, days by time. 1,000 at most. */
export function shares(db: Queries, tail: Tail, scope: Scope, by: Dimension): Promise<readonly Share[]> {
  const rank = { channel: sql.fragment`sum(requests) DESC`, day: sql.fragment`1`, provider: null, model: null, agent: null }[by] ?? sql.fragment`sum(input_tokens) DESC`
  return db.any(sql.type(row(Share))`SELECT ${keys[by]} AS key, ${sums} FROM ${used(tail, scope)} GROUP BY 1 ORDER BY ${rank}, 1 LIMIT 1000`)
}

const Cost = Type.Object({ agentId: Type.Union([Text, Type.Null()]), ...sumsRow })

/** The channel of runs that another agent has caused: costs are those of what somebody has asked for. Source: wire contract, http-observability 2. */
const delegated = "subagent"

/** By agent, the dearest first; 1,000 at most. */
export function costs(db: Queries, tail: Tail, scope: Scope) {
  return db.any(sql.type(row(Cost))`
    SELECT agent_id AS "agentId", ${sums} FROM ${used(tail, scope)} AND channel <> ${delegated} GROUP BY 1 ORDER BY sum(cost_nano_usd) DESC, sum(input_tokens) DESC, 1 LIMIT 1000`)
}

const UserRequests = Type.Object({ userId: Text, hour: Whole, day: Whole, week: Whole })

/** Requests by user since each of these times (epoch ms), those of the week being all; 200 at most, those with the most first. `user`: of that one alone. */
export function requestsByUser(db: Queries, tail: Tail, since: { hour: number; day: number; week: number; to: number }, user: string | null) {
  const counted = (from: number) => sql.fragment`coalesce(sum(requests) FILTER (WHERE hour >= ${new Date(from).toISOString()}::timestamptz), 0)::bigint`
  const scope = { from: since.week, to: since.to, agent: null, provider: null, model: null, channel: null }
  return db.any(sql.type(row(UserRequests))`
    SELECT user_id AS "userId", ${counted(since.hour)} AS hour, ${counted(since.day)} AS day, ${counted(since.week)} AS week FROM ${used(tail, scope)}
      AND (${user}::text IS NULL OR user_id = ${user}) GROUP BY 1 ORDER BY 4 DESC, 1 LIMIT 200`)
}
