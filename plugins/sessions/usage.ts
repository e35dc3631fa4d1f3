import { type Queries, row, sql, UsageGroup } from "@plugboard/sdk"
import { Type } from "typebox"

const Text = Type.String()
const Whole = Type.Integer()
/** Runs that have ended, by hour and the rest; also those whose session was removed since. */
export function usageGroups(db: Queries, from: string, to: string, most: number, skip: number) {
  const within = sql.fragment`finished_at >= ${from}::timestamptz AND finished_at < ${to}::timestamptz`
  const columns = sql.fragment`agent_key, user_id, channel, provider, model, status, usage, cost_nano_usd, tool_calls, created_at, finished_at`
  return db.any(sql.type(row(UsageGroup))`
    SELECT date_trunc('hour', finished_at, 'UTC') AS hour, agent_key AS "agentKey", user_id AS "userId", channel, provider, model, count(*) AS requests,
      count(*) FILTER (WHERE status IN ('failed', 'interrupted')) AS errors,
      coalesce(sum((usage->>'promptTokens')::bigint), 0)::bigint AS "inputTokens", coalesce(sum((usage->>'completionTokens')::bigint), 0)::bigint AS "outputTokens",
      coalesce(sum((usage->>'cachedTokens')::bigint), 0)::bigint AS "cacheReadTokens", coalesce(sum((usage->>'cacheWriteTokens')::bigint), 0)::bigint AS "cacheWriteTokens",
      coalesce(sum((usage->>'reasoningTokens')::bigint), 0)::bigint AS "thinkingTokens", sum(llm_calls)::bigint AS "llmCalls", sum(tool_calls)::bigint AS "toolCalls",
      coalesce(sum(cost_nano_usd), 0)::bigint AS "costNanoUsd", count(*) FILTER (WHERE cost_nano_usd IS NULL) AS unpriced,
      sum(extract(epoch FROM finished_at - created_at) * 1000)::bigint AS "durationMs"
    FROM (
      SELECT ${columns}, coalesce(jsonb_array_length(attempts), 0) AS llm_calls FROM sessions.runs WHERE ${within}
      UNION ALL SELECT ${columns}, llm_calls FROM sessions.removed_runs WHERE ${within}) ended
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ${most} OFFSET ${skip}`)
}

export async function firstEnd(db: Queries, from: string): Promise<string | null> {
  const { first } = await db.one(sql.type(row(Type.Object({ first: Type.Union([Text, Type.Null()]) })))`
    SELECT least((SELECT min(finished_at) FROM sessions.runs WHERE finished_at >= ${from}::timestamptz),
      (SELECT min(finished_at) FROM sessions.removed_runs WHERE finished_at >= ${from}::timestamptz)) AS first`)
  return first
}

export interface UsedBy {
  userId: string | null
  /** Key. */
  agent: string | null
  provider: string | null
  /** RFC 3339, of the last change: from the first, before the second. */
  from: string | null
  to: string | null
}
const Used = Type.Object({
  agentKey: Text,
  sessionKey: Text,
  userId: Text,
  model: Text,
  provider: Text,
  inputTokens: Whole,
  outputTokens: Whole,
  updatedAt: Text,
})

/** Sessions with tokens, newest first. */
export async function usedSessions(db: Queries, { userId, agent, provider, from, to }: UsedBy, limit: number, offset: number) {
  const fits = sql.fragment`input_tokens + output_tokens > 0 AND (${userId}::text IS NULL OR user_id = ${userId}) AND (${agent}::text IS NULL OR agent_key = ${agent})
    AND (${provider}::text IS NULL OR provider = ${provider}) AND (${from}::timestamptz IS NULL OR updated_at >= ${from}::timestamptz) AND (${to}::timestamptz IS NULL OR updated_at < ${to}::timestamptz)`
  const [records, { count }] = await Promise.all([
    db.any(sql.type(row(Used))`
      SELECT agent_key AS "agentKey", session_key AS "sessionKey", user_id AS "userId", model, provider, input_tokens AS "inputTokens", output_tokens AS "outputTokens", updated_at AS "updatedAt"
      FROM sessions.sessions WHERE ${fits} ORDER BY ranked_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ count: Whole })))`SELECT count(*) AS count FROM sessions.sessions WHERE ${fits}`),
  ])
  return { records, total: count }
}

/** Of all sessions with tokens, whoever they belong to; the 1,000 agents with the most. */
export function usedByAgent(db: Queries) {
  return db.any(sql.type(row(Type.Object({ agentKey: Text, inputTokens: Whole, outputTokens: Whole, sessions: Whole })))`
    SELECT agent_key AS "agentKey", sum(input_tokens)::bigint AS "inputTokens", sum(output_tokens)::bigint AS "outputTokens", count(*) AS sessions
    FROM sessions.sessions WHERE input_tokens + output_tokens > 0 GROUP BY 1 ORDER BY sum(input_tokens + output_tokens) DESC, 1 LIMIT 1000`)
}
