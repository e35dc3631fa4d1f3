import type { EntryRow } from "./history.ts"
import type { Schedule } from "./schedule-form.ts"
import { type WireJob, wireEntry } from "./wire.ts"

// What today's command-line client sends and reads. Source: wire contract, websocket 8.1 and 8.2.

interface Flat {
  cron_expression?: string
  timezone?: string
  payload?: { message?: string }
  schedule?: Schedule
  message?: string
}

/** The flat spelling as the canonical one, which wins when both are there. */
export function unflattened<P extends Flat>({ cron_expression, timezone, payload, ...params }: P): Omit<P, "cron_expression" | "timezone" | "payload"> {
  const schedule = params.schedule ?? (cron_expression === undefined ? undefined : { kind: "cron" as const, expr: cron_expression, ...(timezone && { tz: timezone }) })
  const message = params.message ?? payload?.message
  return { ...params, ...(schedule && { schedule }), ...(message !== undefined && { message }) }
}

export function cliJob(job: WireJob) {
  const { schedule, state } = job
  return {
    ...job,
    agent_id: job.agentId ?? "",
    ...(schedule.kind === "cron" && { cron_expression: schedule.expr }),
    ...(schedule.kind === "every" && { interval_ms: schedule.everyMs }),
    last_status: state.lastStatus ?? "",
    ...(state.nextRunAtMs !== undefined && { next_run_at: new Date(state.nextRunAtMs).toISOString() }),
  }
}

export function cliEntry(entry: EntryRow) {
  const tokens = (entry.input_tokens ?? 0) + (entry.output_tokens ?? 0)
  return { ...wireEntry(entry), id: entry.id, started_at: entry.started_at, duration_ms: entry.duration_ms ?? 0, total_tokens: tokens }
}
