import { AgentSections, createDueWork, definePlugin, Heartbeats, pageOf, Sessions } from "@plugboard/sdk"
import { createChecklists } from "./checklists.ts"
import { createHeartbeats } from "./heartbeats.ts"
import { listLogs } from "./logs.ts"
import { manifest } from "./manifest.ts"
import { createRunner } from "./runner.ts"
import { createSection } from "./section.ts"
import { claimHeartbeat, releaseHeartbeat } from "./store.ts"
import { cliLog, cliTarget, wireHeartbeat, wireLog, wireTarget } from "./wire.ts"

/** Targets that a picker shows. */
const mostTargets = 50

export default definePlugin(manifest, (host) => {
  const { tickMs, maxRuns, leaseSeconds } = host.config
  const checklists = createChecklists(host)
  const heartbeats = createHeartbeats(host)
  const work = createDueWork(host, {
    schema: "heartbeat",
    tickMs,
    most: maxRuns,
    leaseSeconds,
    changedBy: "heartbeat.changed",
    serve: createRunner(host, checklists),
    putOff: (caller, id, afterMs) => releaseHeartbeat(host.db.for(caller), id, afterMs),
  })
  host.contribute(AgentSections, manifest.id, createSection(host, heartbeats))
  host.offer(Heartbeats, { wake: heartbeats.wake })

  return {
    rpc: {
      "heartbeat.get": async ({ agentId }, { caller }) => {
        const heartbeat = await heartbeats.find(caller, agentId)
        return { heartbeat: heartbeat && wireHeartbeat(heartbeat) }
      },
      "heartbeat.set": async ({ agentId, ...change }, { caller }) => ({ heartbeat: wireHeartbeat(await heartbeats.set(caller, agentId, change)) }),
      "heartbeat.toggle": async ({ agentId, enabled }, { caller }) => {
        const { key } = await heartbeats.toggle(caller, agentId, enabled)
        return { agentId: agentId || key, enabled }
      },
      "heartbeat.test": async ({ agentId }, { caller }) => {
        const { agent, heartbeat } = await heartbeats.demand(caller, agentId)
        await host.db.for(caller).transaction(async (tx) => tx.audit({ action: "heartbeat.test", entityType: "heartbeat", entityId: agent.id, details: { agent: agent.key } }))
        if (await claimHeartbeat(host.db.for(caller), heartbeat.id, host.node, leaseSeconds)) work.begin(heartbeat.id, caller.tenantId, 1)
        return { ok: true as const }
      },
      "heartbeat.logs": async ({ agentId, limit, offset }, { caller, cliProfile }) => {
        const agent = await heartbeats.agentOf(caller, agentId)
        const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 200, 20)
        const { logs, total } = await listLogs(host.db.for(caller), agent.id, page.limit, page.offset)
        const rows = logs.map(wireLog)
        return cliProfile ? rows.map(cliLog) : { logs: rows, total }
      },
      "heartbeat.checklist.get": async ({ agentId }, { caller }) => ({ content: await checklists.read(caller, (await heartbeats.agentOf(caller, agentId)).id) }),
      "heartbeat.checklist.set": async ({ agentId, content }, { caller }) => {
        await checklists.write(caller, (await heartbeats.agentOf(caller, agentId)).id, content)
        return { ok: true as const, length: content.length }
      },
      "heartbeat.targets": async ({ agentId }, { caller, cliProfile }) => {
        const agent = agentId ? (await heartbeats.agentOf(caller, agentId)).key : undefined
        const { records } = await host.use(Sessions).used(caller, agent === undefined ? {} : { agent }, mostTargets, 0)
        // What the clock has made is read there, and is no place to write to.
        const targets = records.filter(({ sessionKey }) => !/^agent:[^:]+:(heartbeat|cron)\b/.test(sessionKey)).map(wireTarget)
        return cliProfile ? targets.map(cliTarget) : { targets }
      },
    },
    start: async () => work.start(),
    drain: (signal) => work.drain(signal),
  }
})
