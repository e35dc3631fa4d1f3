import { AgentParts, AgentSections, type Caller, definePlugin, isError, pageOf } from "@plugboard/sdk"
import { cliEntry, cliJob, unflattened } from "./cli.ts"
import { listEntries } from "./history.ts"
import { createJobs } from "./jobs.ts"
import { manifest } from "./manifest.ts"
import { createScheduler } from "./scheduler.ts"
import { createSection } from "./section.ts"
import { wireEntry, wireJob } from "./wire.ts"

export default definePlugin(manifest, (host) => {
  const jobs = createJobs(host)
  const scheduler = createScheduler(host)
  host.contribute(AgentParts, manifest.id, { remove: (caller, agent) => jobs.removeOfAgent(caller, agent) })
  host.contribute(AgentSections, manifest.id, createSection(host, jobs))
  const status = async (caller: Caller) => ({ enabled: true, jobs: await jobs.count(caller) })
  const oneJob = (job: ReturnType<typeof wireJob>, cliProfile: boolean) => (cliProfile ? { ...cliJob(job), job } : { job })
  return {
    rpc: {
      "cron.list": async ({ includeDisabled }, { caller, cliProfile }) => {
        const rows = (await jobs.list(caller, includeDisabled ?? cliProfile)).map(wireJob)
        return cliProfile ? rows.map(cliJob) : { jobs: rows, status: await status(caller) }
      },
      "cron.status": async ({ jobId }, { caller }) => (jobId ? wireJob(await jobs.find(caller, jobId)) : status(caller)),
      "cron.create": async (given, { caller, cliProfile }) => oneJob(wireJob(await jobs.create(caller, unflattened(given))), cliProfile),
      "cron.update": async ({ jobId, patch, ...given }, { caller, cliProfile }) =>
        oneJob(wireJob(await jobs.change(caller, jobId, { ...unflattened(given), ...patch })), cliProfile),
      "cron.delete": async ({ jobId }, { caller }) => {
        await jobs.remove(caller, jobId)
        return { deleted: true as const }
      },
      "cron.toggle": async ({ jobId, enabled }, { caller }) => {
        const job = await jobs.toggle(caller, jobId, enabled)
        return { jobId: job.id, enabled: job.enabled }
      },
      "cron.run": async ({ jobId }, { caller }) => {
        const job = await jobs.find(caller, jobId).catch((error: unknown) => {
          if (isError(error, "cron.unknown_job")) throw host.fail("no_such_job_to_run", { job: (jobId ?? "").slice(0, 100) })
          throw error
        })
        const ran = await scheduler.runNow(caller, job.id)
        await host.db.for(caller).transaction(async (tx) => tx.audit({ action: "cron.run", entityType: "cron", entityId: job.id, details: { name: job.name } }))
        return { ok: true as const, ran }
      },
      "cron.runs": async ({ jobId, limit, offset }, { caller, cliProfile }) => {
        const job = await jobs.find(caller, jobId)
        const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 200, 20)
        const { entries, total } = await listEntries(host.db.for(caller), job.id, page.limit, page.offset)
        return cliProfile ? entries.map(cliEntry) : { entries: entries.map(wireEntry), total }
      },
    },
    start: async () => scheduler.start(),
    drain: (signal) => scheduler.drain(signal),
  }
})
