import { setTimeout as sleep } from "node:timers/promises"
import { type AgentProfile, Agents, type Caller, type Host, Sessions } from "@plugboard/sdk"
import { followingBeat, isActive } from "./active-hours.ts"
import { createBeat } from "./beat.ts"
import type { Checklists } from "./checklists.ts"
import { closeLog, type End, openLog, pruneLogs } from "./logs.ts"
import type { manifest } from "./manifest.ts"
import { hoursOf } from "./settings.ts"
import { concludeHeartbeat, deleteHeartbeat, findHeartbeat, type HeartbeatRow, releaseHeartbeat } from "./store.ts"

const longestPauseMs = 30_000
const actions = { ok: "completed", suppressed: "suppressed", error: "error", skipped: "skipped" } as const

/** A heartbeat that this node has claimed, from its lease to its next time. */
export function createRunner(host: Host<typeof manifest>, checklists: Checklists) {
  const { retryMs, keepLogs } = host.config
  const agents = host.use(Agents)
  const takeBeat = createBeat(host)

  const told = (caller: Caller, { id, key }: AgentProfile, outcome: object) => host.events.publish(caller, "heartbeat", { agentId: id, agentKey: key, ...outcome })
  const inWords = async (caller: Caller, failure: Error) => (await host.describe(failure, caller.locale)) ?? ""

  async function open(caller: Caller, heartbeat: HeartbeatRow, startedAt: number, sessionKey: string | null): Promise<string> {
    const interrupted = await inWords(caller, host.fail("interrupted", {}))
    return host.db.for(caller).transaction((tx) => openLog(tx, heartbeat, startedAt, sessionKey, interrupted))
  }

  /** Null when it is to run. What is asked for by hand runs whenever there is somebody to do it. */
  async function skipReason(caller: Caller, heartbeat: HeartbeatRow, agent: AgentProfile, checklist: string, now: number): Promise<string | null> {
    if (agent.status !== "active") return inWords(caller, host.fail("agent_resting", { status: agent.status }))
    if (heartbeat.by_hand) return null
    if (!isActive(hoursOf(heartbeat), now)) return inWords(caller, host.fail("outside_hours", {}))
    if (heartbeat.prompt.trim() === "" && checklist.trim() === "") return inWords(caller, host.fail("nothing_to_do", {}))
    return null
  }

  /** Sessions of beats that the log no longer has. One that is gone or at work is left so. */
  async function forget(caller: Caller, sessionKeys: readonly string[]): Promise<void> {
    for (const key of sessionKeys)
      await host
        .use(Sessions)
        .remove(caller, key)
        .catch((err: unknown) => host.log.debug({ err, tenant: caller.tenantId }, "session of a beat not removed"))
  }

  async function conclude(caller: Caller, heartbeat: HeartbeatRow, agent: AgentProfile, log: string, end: End, startedAt: number): Promise<void> {
    const now = Date.now()
    const due = heartbeat.next_run_at === null ? null : Date.parse(heartbeat.next_run_at)
    // A beat by hand leaves the time that is still to come alone.
    const next = due === null || (heartbeat.by_hand && due > now) ? due : followingBeat(hoursOf(heartbeat), heartbeat.interval_sec, due, now)
    const forgotten = await host.db.for(caller).transaction(async (tx) => {
      await closeLog(tx, log, end)
      await concludeHeartbeat(tx, heartbeat, { status: end.status, error: end.error, next, startedAt })
      return pruneLogs(tx, heartbeat.id, keepLogs)
    })
    const reason = end.skipReason === null ? {} : { reason: end.skipReason }
    told(caller, agent, { action: actions[end.status], status: end.status, ...(end.error !== null && { error: end.error }), ...reason })
    await forget(caller, forgotten)
  }

  /** `first`: number of the attempt that begins now; more than 1 after a crash. */
  return async function run(tenant: Caller, id: string, first: number, stopping: AbortSignal): Promise<void> {
    const heartbeat = await findHeartbeat(host.db.for(tenant), id)
    if (!heartbeat) return
    const caller: Caller = { ...tenant, userId: heartbeat.user_id, role: heartbeat.user_role as Caller["role"] }
    const agent = await agents.find(caller, heartbeat.agent_id)
    // An agent that is gone has nobody to beat for.
    if (!agent) return deleteHeartbeat(host.db.for(caller), id)
    const checklist = await checklists.read(caller, agent.id)
    for (let attempt = first; ; attempt += 1) {
      const startedAt = Date.now()
      const skipped = first === 1 && attempt === 1 ? await skipReason(caller, heartbeat, agent, checklist, startedAt) : null
      if (skipped !== null) {
        const log = await open(caller, heartbeat, startedAt, null)
        return conclude(
          caller,
          heartbeat,
          agent,
          log,
          { status: "skipped", summary: null, error: null, skipReason: skipped, durationMs: 0, inputTokens: 0, outputTokens: 0 },
          startedAt,
        )
      }
      const sessionKey = `agent:${agent.key}:heartbeat${heartbeat.isolated_session ? `:${startedAt}` : ""}`
      const log = await open(caller, heartbeat, startedAt, heartbeat.isolated_session ? sessionKey : null)
      told(caller, agent, { action: "running", status: "running" })
      const end = await takeBeat(caller, { heartbeat, agent, checklist, log, sessionKey }, stopping)
      if (end === "stopped") return releaseHeartbeat(host.db.for(caller), id, 0)
      if (end.status !== "error" || attempt > heartbeat.max_retries) return conclude(caller, heartbeat, agent, log, end, startedAt)
      await closeLog(host.db.for(caller), log, end)
      host.log.warn({ heartbeat: id, tenant: caller.tenantId, attempt, cause: end.error }, "heartbeat failed; it is tried again")
      await sleep(Math.min(retryMs * 4 ** (attempt - 1), longestPauseMs), undefined, { signal: stopping }).catch(() => undefined)
      if (stopping.aborted) return releaseHeartbeat(host.db.for(caller), id, 0)
    }
  }
}
