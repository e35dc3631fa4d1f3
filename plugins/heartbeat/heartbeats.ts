import { randomUUIDv7 } from "node:crypto"
import { type AgentProfile, type AgentRef, Agents, type Caller, type Host, Providers } from "@plugboard/sdk"
import { isTimezone, nextActive } from "./active-hours.ts"
import type { manifest } from "./manifest.ts"
import { type Change, changed, hoursOf, keepsTime, type Settings } from "./settings.ts"
import { findOfAgent, type HeartbeatRow, hurryHeartbeat, upsertHeartbeat } from "./store.ts"

const clock = /^([01]\d|2[0-3]):[0-5]\d$/

/** Heartbeats as admins set them up, and others see them. */
export function createHeartbeats(host: Host<typeof manifest>) {
  const agents = host.use(Agents)

  async function agentOf(caller: Caller, ref: string | undefined): Promise<AgentProfile> {
    const agent = await (ref && ref !== "default" ? agents.resolve(caller, ref) : agents.fallback(caller))
    if (!agent) throw host.fail("unknown_agent", { agent: (ref || "default").slice(0, 100) })
    return agent
  }

  async function demand(caller: Caller, ref: string | undefined): Promise<{ agent: AgentProfile; heartbeat: HeartbeatRow }> {
    const agent = await agentOf(caller, ref)
    const heartbeat = await findOfAgent(host.db.for(caller), agent.id)
    if (!heartbeat) throw host.fail("none", { agent: agent.key })
    return { agent, heartbeat }
  }

  async function judge(caller: Caller, settings: Settings): Promise<void> {
    for (const at of [settings.active_hours_start, settings.active_hours_end]) if (at !== "" && !clock.test(at)) throw host.fail("bad_hours", {})
    const { timezone, provider_name: provider } = settings
    if (timezone !== "" && !isTimezone(timezone)) throw host.fail("bad_timezone", { timezone })
    if (provider !== "" && host.has(Providers) && !(await host.use(Providers).facts(caller, provider))) throw host.fail("unknown_provider", { provider })
  }

  async function write(caller: Caller, agent: AgentRef, change: Change, action: string): Promise<HeartbeatRow> {
    const before = await findOfAgent(host.db.for(caller), agent.id)
    const after = changed(change, before ?? undefined)
    await judge(caller, after)
    const kept = before !== null && keepsTime(before, after)
    const next = kept ? undefined : after.enabled ? nextActive(hoursOf(after), Date.now() + after.interval_sec * 1_000) : null
    return host.db.for(caller).transaction(async (tx) => {
      const heartbeat = await upsertHeartbeat(tx, randomUUIDv7(), agent.id, caller, after, next)
      tx.audit({ action, entityType: "heartbeat", entityId: agent.id, details: { agent: agent.key, enabled: after.enabled } })
      tx.publish("heartbeat.changed", {})
      return heartbeat
    })
  }

  return {
    write,
    agentOf,
    demand,
    find: async (caller: Caller, ref: string | undefined) => findOfAgent(host.db.for(caller), (await agentOf(caller, ref)).id),
    set: async (caller: Caller, ref: string | undefined, change: Change) => write(caller, await agentOf(caller, ref), change, "heartbeat.set"),
    async toggle(caller: Caller, ref: string | undefined, enabled: boolean): Promise<AgentProfile> {
      const { agent } = await demand(caller, ref)
      await write(caller, agent, { enabled }, "heartbeat.toggled")
      return agent
    },
    async wake(caller: Caller, ref: string): Promise<boolean> {
      const agent = await (ref === "" ? agents.fallback(caller) : agents.find(caller, ref))
      if (!agent) return false
      return host.db.for(caller).transaction(async (tx) => {
        tx.publish("heartbeat.changed", {})
        return hurryHeartbeat(tx, agent.id)
      })
    },
  }
}
export type Heartbeats = ReturnType<typeof createHeartbeats>
