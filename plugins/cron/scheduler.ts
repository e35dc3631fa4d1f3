import { type Caller, createDueWork, type Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { createRunner } from "./runner.ts"
import { claimJob, releaseJob } from "./store.ts"

/** Runs what is due: each job on one node of the cluster. While no job is scheduled it asks the database for nothing. */
export function createScheduler(host: Host<typeof manifest>) {
  const { tickMs, maxRuns, leaseSeconds } = host.config
  const run = createRunner(host)
  const work = createDueWork(host, {
    schema: "cron",
    tickMs,
    most: maxRuns,
    leaseSeconds,
    changedBy: "cron.changed",
    serve: run,
    putOff: (caller, id, afterMs) => releaseJob(host.db.for(caller), id, afterMs),
  })
  return {
    start: work.start,
    drain: work.drain,
    /** Enabled or not. False: it is at work. */
    async runNow(caller: Caller, id: string): Promise<boolean> {
      if (!(await claimJob(host.db.for(caller), id, host.node, leaseSeconds))) return false
      work.begin(id, caller.tenantId, 1)
      return true
    },
  }
}
