import { setTimeout as sleep } from "node:timers/promises"
import { type Caller, Heartbeats, type Host } from "@plugboard/sdk"
import { closeEntry, type End, openEntry } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { following } from "./schedule.ts"
import { concludeJob, deleteJob, findJob, type JobRow, releaseJob } from "./store.ts"
import { createTurn } from "./turn.ts"

const longestPauseMs = 30_000

/** A job that this node has claimed, from its lease to its next time. */
export function createRunner(host: Host<typeof manifest>) {
  const { retries, retryMs, maxLateSeconds, keepRuns } = host.config
  const takeTurn = createTurn(host)

  const told = (caller: Caller, { id, name, user_id }: JobRow, outcome: object) =>
    host.events.publish(caller, "cron", { jobId: id, jobName: name, userId: user_id, ...outcome }, { userId: user_id })

  async function open(caller: Caller, job: JobRow): Promise<string> {
    const interrupted = (await host.describe(host.fail("interrupted", {}), caller.locale)) ?? ""
    return host.db.for(caller).transaction((tx) => openEntry(tx, job.id, Date.now(), interrupted))
  }

  /** The history's entry, the job's state, and its next time. */
  async function conclude(caller: Caller, job: JobRow, entry: string, end: End, startedAt: number): Promise<void> {
    const now = Date.now()
    const due = job.next_run_at === null ? null : Date.parse(job.next_run_at)
    // A run by hand leaves the time that is still to come alone.
    const next = due === null || (job.by_hand && due > now) ? due : following(job.schedule, due, now)
    await host.db.for(caller).transaction(async (tx) => {
      await closeEntry(tx, job.id, entry, end, keepRuns)
      if (job.delete_after_run && end.status !== "skipped" && next === null) await deleteJob(tx, job.id)
      else await concludeJob(tx, job, { status: end.status, error: end.error, next, startedAt })
    })
    if (end.status === "skipped") return
    told(caller, job, { action: end.status === "ok" ? "completed" : "error", status: end.status, ...(end.error !== null && { error: end.error }) })
    if (job.wake_heartbeat && end.status === "ok" && host.has(Heartbeats, caller)) await host.use(Heartbeats).wake(caller, job.agent_id)
  }

  async function skipped(caller: Caller, job: JobRow, now: number): Promise<boolean> {
    if (job.by_hand || job.schedule.kind === "at" || job.next_run_at === null) return false
    const lateMs = now - Date.parse(job.next_run_at)
    if (lateMs <= maxLateSeconds * 1_000) return false
    const error = await host.describe(host.fail("too_late", { seconds: Math.round(lateMs / 1_000) }), caller.locale)
    await conclude(caller, job, await open(caller, job), { status: "skipped", error, summary: null, durationMs: 0, inputTokens: null, outputTokens: null }, now)
    return true
  }

  /** `first`: number of the attempt that begins now; more than 1 after a crash. */
  return async function run(tenant: Caller, id: string, first: number, stopping: AbortSignal): Promise<void> {
    const job = await findJob(host.db.for(tenant), id)
    if (!job) return
    const caller: Caller = { ...tenant, userId: job.user_id, role: job.user_role as Caller["role"] }
    if (first === 1 && (await skipped(caller, job, Date.now()))) return
    for (let attempt = first; ; attempt += 1) {
      const startedAt = Date.now()
      const entry = await open(caller, job)
      told(caller, job, { action: "running" })
      const end = await takeTurn(caller, job, entry, stopping)
      if (end === "stopped") return releaseJob(host.db.for(caller), job.id, 0)
      if (end.status === "ok" || attempt > retries) return conclude(caller, job, entry, end, startedAt)
      await closeEntry(host.db.for(caller), job.id, entry, end, keepRuns)
      host.log.warn({ job: job.id, tenant: caller.tenantId, attempt, cause: end.error }, "scheduled run failed; it is tried again")
      await sleep(Math.min(retryMs * 4 ** (attempt - 1), longestPauseMs), undefined, { signal: stopping }).catch(() => undefined)
      if (stopping.aborted) return releaseJob(host.db.for(caller), job.id, 0)
    }
  }
}
