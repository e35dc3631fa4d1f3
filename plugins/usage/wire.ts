import { type UsedSession, usdOf } from "@plugboard/sdk"
import type { Point, Share, Sums } from "./reports.ts"

const tokens = (sums: Sums) => ({
  input_tokens: sums.inputTokens,
  output_tokens: sums.outputTokens,
  cache_read_tokens: sums.cacheReadTokens,
  cache_create_tokens: sums.cacheWriteTokens,
})
const calls = (sums: Sums) => ({
  request_count: sums.requests,
  llm_call_count: sums.llmCalls,
  tool_call_count: sums.toolCalls,
  error_count: sums.errors,
  avg_duration_ms: sums.avgDurationMs,
})

export function wirePoint(point: Point) {
  return {
    bucket_time: point.at,
    ...tokens(point),
    thinking_tokens: point.thinkingTokens,
    total_cost: usdOf(point.costNanoUsd),
    ...calls(point),
    unique_users: point.users,
    memory_docs: 0,
    memory_chunks: 0,
    kg_entities: 0,
    kg_relations: 0,
  }
}

export function wireShare(share: Share) {
  return { key: share.key, ...tokens(share), total_cost: usdOf(share.costNanoUsd), ...calls(share) }
}

export function wireSummary(sums: Sums) {
  return {
    requests: sums.requests,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cost: usdOf(sums.costNanoUsd),
    unique_users: sums.users,
    errors: sums.errors,
    llm_calls: sums.llmCalls,
    tool_calls: sums.toolCalls,
    avg_duration_ms: sums.avgDurationMs,
  }
}

export function wireRecord({ agentKey, sessionKey, model, provider, inputTokens, outputTokens, updatedAt }: UsedSession) {
  return { agentId: agentKey, sessionKey, model, provider, inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, timestamp: Date.parse(updatedAt) }
}
