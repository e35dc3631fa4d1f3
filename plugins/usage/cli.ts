import type { wirePoint, wireRecord, wireShare } from "./wire.ts"

// The columns of today's command-line client, which sends no user header. Source: wire contract, http-observability 3 and 11.5.

export const isCli = (headers: Readonly<Record<string, string | undefined>>) => headers["x-goclaw-user-id"] === undefined

export function cliPoint(point: ReturnType<typeof wirePoint>) {
  return { ...point, period: point.bucket_time, tokens_in: point.input_tokens, tokens_out: point.output_tokens, requests: point.request_count }
}

export function cliShare(share: ReturnType<typeof wireShare>) {
  return { ...share, group: share.key, tokens_in: share.input_tokens, tokens_out: share.output_tokens, cost: share.total_cost }
}

export function cliRecord({ agentId, sessionKey, model, provider, inputTokens, outputTokens, totalTokens, timestamp }: ReturnType<typeof wireRecord>) {
  return { agent_id: agentId, session_key: sessionKey, model, provider, input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: totalTokens, timestamp }
}
