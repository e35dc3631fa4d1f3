import type { LogRow } from "./logs.ts"
import type { HeartbeatRow } from "./store.ts"

/** Without what is empty. Source: wire contract, websocket 4.18. */
export function wireHeartbeat(row: HeartbeatRow) {
  const optional = {
    prompt: row.prompt,
    providerName: row.provider_name,
    model: row.model,
    activeHoursStart: row.active_hours_start,
    activeHoursEnd: row.active_hours_end,
    timezone: row.timezone,
    channel: row.channel,
    chatId: row.chat_id,
    nextRunAt: row.enabled ? row.next_run_at : null,
    lastRunAt: row.last_run_at,
    lastStatus: row.last_status,
    lastError: row.last_error,
  }
  return {
    id: row.id,
    agentId: row.agent_id,
    enabled: row.enabled,
    intervalSec: row.interval_sec,
    isolatedSession: row.isolated_session,
    lightContext: row.light_context,
    ackMaxChars: row.ack_max_chars,
    maxRetries: row.max_retries,
    runCount: row.run_count,
    suppressCount: row.suppress_count,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value)) as { [K in keyof typeof optional]?: string }),
  }
}

export function wireLog(log: LogRow) {
  return {
    id: log.id,
    heartbeatId: log.heartbeat_id,
    agentId: log.agent_id,
    status: log.status,
    ...(log.summary !== null && { summary: log.summary }),
    ...(log.error !== null && { error: log.error }),
    ...(log.duration_ms !== null && { durationMs: log.duration_ms }),
    inputTokens: log.input_tokens,
    outputTokens: log.output_tokens,
    ...(log.skip_reason !== null && { skipReason: log.skip_reason }),
    ranAt: log.ran_at,
    createdAt: log.created_at,
  }
}

/** A session as a place for answers. */
export function wireTarget({ sessionKey, agentKey }: { sessionKey: string; agentKey: string }) {
  return {
    channel: "session",
    chatId: sessionKey,
    title: `${agentKey}: ${sessionKey.split(":").slice(2).join(":")}`,
    kind: /:group:/.test(sessionKey) ? ("group" as const) : ("dm" as const),
  }
}

/** Bare rows with the columns of today's command-line client. Source: wire contract, websocket 7.1 and 8.2. */
export const cliLog = (log: ReturnType<typeof wireLog>) => ({ ...log, timestamp: log.ranAt, latency: log.durationMs ?? 0 })
export const cliTarget = (target: ReturnType<typeof wireTarget>) => ({ ...target, name: target.title, url: "", status: "", last_check: "" })
