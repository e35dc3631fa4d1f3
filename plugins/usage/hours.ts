import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Counted } from "./sources.ts"

const Nothing = row(Type.Object({}))

/** What is counted, as rows of the table. */
export const rowsOf = (groups: readonly Counted[]) => sql.fragment`
  SELECT hour, "agentKey" AS agent_key, "agentId" AS agent_id, "userId" AS user_id, channel, provider, model, requests, errors, "inputTokens" AS input_tokens, "outputTokens" AS output_tokens,
    "cacheReadTokens" AS cache_read_tokens, "cacheWriteTokens" AS cache_write_tokens, "thinkingTokens" AS thinking_tokens, "llmCalls" AS llm_calls, "toolCalls" AS tool_calls,
    "costNanoUsd" AS cost_nano_usd, unpriced, "durationMs" AS duration_ms
  FROM jsonb_to_recordset(${jsonText(groups)}::jsonb) AS g(hour timestamptz, "agentKey" text, "agentId" text, "userId" text, channel text, provider text, model text, requests bigint, errors bigint,
    "inputTokens" bigint, "outputTokens" bigint, "cacheReadTokens" bigint, "cacheWriteTokens" bigint, "thinkingTokens" bigint, "llmCalls" bigint, "toolCalls" bigint, "costNanoUsd" bigint,
    unpriced bigint, "durationMs" bigint)`

/** RFC 3339; null: nothing is added up yet. */
export async function progressOf(db: Queries): Promise<string | null> {
  return (await db.maybeOne(sql.type(row(Type.Object({ up_to: Type.String() })))`SELECT up_to FROM usage.progress`))?.up_to ?? null
}

/** False: somebody else has moved the mark meanwhile. */
export async function moveProgress(db: Queries, from: string | null, to: string): Promise<boolean> {
  const { rowCount } =
    from === null
      ? await db.query(sql.type(Nothing)`INSERT INTO usage.progress (up_to) VALUES (${to}) ON CONFLICT (tenant_id) DO NOTHING`)
      : await db.query(sql.type(Nothing)`UPDATE usage.progress SET up_to = ${to} WHERE up_to = ${from}::timestamptz`)
  return rowCount === 1
}

export async function insertHours(db: Queries, groups: readonly Counted[]): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO usage.hours (hour, agent_key, agent_id, user_id, channel, provider, model, requests, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, thinking_tokens,
      llm_calls, tool_calls, cost_nano_usd, unpriced, duration_ms) ${rowsOf(groups)}`)
}

export async function pruneHours(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM usage.hours WHERE hour < now() - make_interval(days => ${keepDays})`)
}
