import type { EntryRow } from "./history.ts"
import type { JobRow } from "./store.ts"

type JobStatus = "ok" | "error" | "running" | "skipped"

/** Source: wire contract, websocket 4.6. */
export function wireJob(job: JobRow) {
  return {
    id: job.id,
    tenantId: job.tenant_id,
    name: job.name,
    ...(job.agent_id !== "" && { agentId: job.agent_id }),
    userId: job.user_id,
    enabled: job.enabled,
    schedule: job.schedule,
    // One generation of clients reads the delivery here, the other beside it.
    payload: {
      kind: "agent_turn" as const,
      message: job.message,
      deliver: job.deliver,
      ...(job.deliver_channel !== "" && { channel: job.deliver_channel }),
      ...(job.deliver_to !== "" && { to: job.deliver_to }),
    },
    deliver: job.deliver,
    deliverChannel: job.deliver_channel,
    deliverTo: job.deliver_to,
    wakeHeartbeat: job.wake_heartbeat,
    stateless: job.stateless,
    state: {
      ...(job.enabled && job.next_run_at !== null && { nextRunAtMs: Date.parse(job.next_run_at) }),
      ...(job.last_run_at !== null && { lastRunAtMs: Date.parse(job.last_run_at) }),
      ...(job.last_status !== null && { lastStatus: job.last_status as JobStatus }),
      ...(job.last_error !== null && { lastError: job.last_error }),
    },
    createdAtMs: Date.parse(job.created_at),
    updatedAtMs: Date.parse(job.updated_at),
    deleteAfterRun: job.delete_after_run,
  }
}
export type WireJob = ReturnType<typeof wireJob>

export function wireEntry(entry: EntryRow) {
  return {
    ts: Date.parse(entry.started_at),
    jobId: entry.job_id,
    status: entry.status,
    ...(entry.error !== null && { error: entry.error }),
    ...(entry.summary !== null && { summary: entry.summary }),
    ...(entry.duration_ms !== null && { durationMs: entry.duration_ms }),
    ...(entry.input_tokens !== null && { inputTokens: entry.input_tokens }),
    ...(entry.output_tokens !== null && { outputTokens: entry.output_tokens }),
  }
}
