import { type Queries, row, sql, UsageGroup } from "@plugboard/sdk"
import { Type } from "typebox"

const Text = Type.String()
/** Calls that are recorded, by hour and the rest. Each is one request of a model; tools, if any, are the client's. */
export function usageGroups(db: Queries, from: string, to: string, most: number, skip: number) {
  return db.any(sql.type(row(UsageGroup))`
    SELECT date_trunc('hour', recorded_at, 'UTC') AS hour, '' AS "agentKey", user_id AS "userId", channel, provider, model, count(*) AS requests,
      count(*) FILTER (WHERE status = 'failed') AS errors,
      coalesce(sum((usage->>'promptTokens')::bigint), 0)::bigint AS "inputTokens", coalesce(sum((usage->>'completionTokens')::bigint), 0)::bigint AS "outputTokens",
      coalesce(sum((usage->>'cachedTokens')::bigint), 0)::bigint AS "cacheReadTokens", coalesce(sum((usage->>'cacheWriteTokens')::bigint), 0)::bigint AS "cacheWriteTokens",
      coalesce(sum((usage->>'reasoningTokens')::bigint), 0)::bigint AS "thinkingTokens", count(*) AS "llmCalls", 0 AS "toolCalls",
      coalesce(sum(cost_nano_usd), 0)::bigint AS "costNanoUsd", count(*) FILTER (WHERE cost_nano_usd IS NULL) AS unpriced, sum(duration_ms)::bigint AS "durationMs"
    FROM passthrough.calls WHERE recorded_at >= ${from}::timestamptz AND recorded_at < ${to}::timestamptz
    GROUP BY 1, 3, 4, 5, 6 ORDER BY 1, 3, 4, 5, 6 LIMIT ${most} OFFSET ${skip}`)
}

export async function firstRecorded(db: Queries, from: string): Promise<string | null> {
  const { first } = await db.one(sql.type(row(Type.Object({ first: Type.Union([Text, Type.Null()]) })))`
    SELECT min(recorded_at) AS first FROM passthrough.calls WHERE recorded_at >= ${from}::timestamptz`)
  return first
}
