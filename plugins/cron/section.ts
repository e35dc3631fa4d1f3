import { type AgentRef, type AgentSection, type Caller, type Host, seesAll } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Jobs } from "./jobs.ts"
import type { manifest } from "./manifest.ts"
import { Schedule } from "./schedule-form.ts"
import { countJobsOfAgent, jobsOfAgent } from "./store.ts"

/** Where answers go does not travel: sessions stay where they are. */
const Entry = Type.Object({
  name: Type.String({ maxLength: 100 }),
  schedule: Schedule,
  message: Type.String({ maxLength: 100_000 }),
  enabled: Type.Boolean(),
  wake_heartbeat: Type.Boolean(),
  stateless: Type.Boolean(),
  delete_after_run: Type.Boolean(),
})
type Entry = Static<typeof Entry>

const page = 100

/** An agent's jobs in its export: those that the caller sees. In an import they become the importer's own. */
export function createSection(host: Host<typeof manifest>, jobs: Jobs): AgentSection {
  const whose = (caller: Caller) => (seesAll(caller) ? null : caller.userId)
  return {
    entry: Entry,
    counts: async (caller, agent) => ({ cron_jobs: await countJobsOfAgent(host.db.for(caller), agent, whose(caller)) }),
    async *read(caller: Caller, agent: AgentRef) {
      for (let after = ""; ; ) {
        const rows = await jobsOfAgent(host.db.for(caller), agent, whose(caller), after, page)
        for (const { name, schedule, message, enabled, wake_heartbeat, stateless, delete_after_run } of rows)
          yield { name, schedule, message, enabled, wake_heartbeat, stateless, delete_after_run }
        if (rows.length < page) return
        after = rows.at(-1)?.id ?? ""
      }
    },
    async write(caller, { key }, entries) {
      for (const { name, schedule, message, enabled, wake_heartbeat: wakeHeartbeat, stateless, delete_after_run: deleteAfterRun } of entries as Entry[])
        await jobs.create(caller, { name, agentId: key, schedule, message, enabled, wakeHeartbeat, stateless, deleteAfterRun })
      return { cron_jobs: entries.length }
    },
  }
}
