import { randomUUIDv7 } from "node:crypto"
import { type Caller, type Host, seesAll, type Tx } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { nextRun, readSchedule } from "./schedule.ts"
import type { Schedule } from "./schedule-form.ts"
import { countJobs, deleteJob, deleteJobsOfAgent, findJob, insertJob, type JobRow, listJobs, updateJob, type Written } from "./store.ts"

/** What a client may say of a job; two spellings of where its answer goes are in use. */
export interface Change {
  name?: string
  agentId?: string
  enabled?: boolean
  schedule?: Schedule
  message?: string
  deleteAfterRun?: boolean
  stateless?: boolean
  deliver?: boolean
  deliverChannel?: string
  deliverTo?: string
  channel?: string
  to?: string
  wakeHeartbeat?: boolean
}

const fresh: Omit<Written, "schedule" | "next_run"> = {
  name: "",
  agent_id: "",
  enabled: true,
  message: "",
  deliver: false,
  deliver_channel: "",
  deliver_to: "",
  wake_heartbeat: false,
  stateless: true,
  delete_after_run: false,
}
const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
/** Where an answer can go: into a session, which its key names. */
const sessionChannels = new Set(["", "ws", "session"])

/** Jobs as their users see and change them: their own, and all of the tenant for admins. */
export function createJobs(host: Host<typeof manifest>) {
  const visibleTo = (caller: Caller) => (seesAll(caller) ? null : caller.userId)

  async function find(caller: Caller, id: string | undefined): Promise<JobRow> {
    const job = await findJob(host.db.for(caller), id ?? "")
    if (!job) throw host.fail("unknown_job", { job: (id ?? "").slice(0, 100) })
    if (job.user_id !== caller.userId && !seesAll(caller)) throw host.fail("foreign_job", { job: job.id })
    return job
  }

  function written(change: Change, before: JobRow | undefined): Written {
    const base = before ?? fresh
    const schedule = change.schedule ? readSchedule(change.schedule) : (before?.schedule ?? null)
    const job = {
      name: change.name ?? base.name,
      agent_id: change.agentId ?? base.agent_id,
      enabled: change.enabled ?? base.enabled,
      message: change.message ?? base.message,
      deliver: change.deliver ?? base.deliver,
      deliver_channel: change.deliverChannel ?? change.channel ?? base.deliver_channel,
      deliver_to: change.deliverTo ?? change.to ?? base.deliver_to,
      wake_heartbeat: change.wakeHeartbeat ?? base.wake_heartbeat,
      stateless: change.stateless ?? base.stateless,
      delete_after_run: change.deleteAfterRun ?? (change.schedule ? change.schedule.kind === "at" : base.delete_after_run),
    }
    if (!namePattern.test(job.name)) throw host.fail("bad_name", { name: job.name })
    if (job.message.trim() === "") throw host.fail("no_message", {})
    if (!schedule) throw host.fail("bad_schedule", {})
    if (job.deliver && (!sessionChannels.has(job.deliver_channel) || !job.deliver_to.startsWith("agent:"))) throw host.fail("bad_delivery", {})
    // A job keeps its time when what is changed has nothing to do with it.
    const keepsTime = before && !change.schedule && before.enabled === job.enabled
    const due = before?.next_run_at ? Date.parse(before.next_run_at) : null
    return { ...job, schedule, next_run: keepsTime ? due : nextRun(schedule, Date.now()) }
  }

  /** What everybody who waits for the clock must hear, and the audit log. */
  const told = (tx: Tx, action: string, { id, name }: Pick<JobRow, "id" | "name">) => {
    tx.audit({ action, entityType: "cron", entityId: id, details: { name } })
    tx.publish("cron.changed", {})
  }

  async function change(caller: Caller, id: string | undefined, patch: Change, action = "cron.updated"): Promise<JobRow> {
    const before = await find(caller, id)
    const after = written(patch, before)
    return host.db.for(caller).transaction(async (tx) => {
      const job = await updateJob(tx, before.id, after)
      if (!job) throw host.fail("unknown_job", { job: before.id })
      told(tx, action, job)
      return job
    })
  }

  return {
    find,
    change,
    list: (caller: Caller, disabledToo: boolean) => listJobs(host.db.for(caller), visibleTo(caller), disabledToo),
    count: (caller: Caller) => countJobs(host.db.for(caller), visibleTo(caller)),
    async create(caller: Caller, given: Change): Promise<JobRow> {
      const job = written(given, undefined)
      return host.db.for(caller).transaction(async (tx) => {
        const made = await insertJob(tx, randomUUIDv7(), caller, job)
        told(tx, "cron.created", made)
        return made
      })
    },
    async remove(caller: Caller, id: string | undefined): Promise<void> {
      const job = await find(caller, id)
      await host.db.for(caller).transaction(async (tx) => {
        await deleteJob(tx, job.id)
        told(tx, "cron.deleted", job)
      })
    },
    /** With the agent, in its transaction: they would fail each time. */
    async removeOfAgent(caller: Caller, agent: { id: string; key: string }): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        for (const job of await deleteJobsOfAgent(tx, agent)) told(tx, "cron.deleted", job)
      })
    },
    async toggle(caller: Caller, id: string | undefined, enabled: boolean | undefined): Promise<JobRow> {
      const job = await find(caller, id)
      return change(caller, id, { enabled: enabled ?? !job.enabled }, "cron.toggled")
    },
  }
}
export type Jobs = ReturnType<typeof createJobs>
