import { type AgentProfile, type AgentsService, type Caller, type Host, seesAll } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { ensureDefault } from "./seed.ts"
import { type AgentRow, findAgent, findFallback, listAgents, renameProvider } from "./store.ts"
import { profileOf } from "./wire.ts"

/** The one place that decides who may use an agent. Source: wire contract, http-core 5, "Access". */
function mayUse(caller: Caller, agent: Pick<AgentRow, "owner_id" | "is_default" | "shared_with">): boolean {
  return seesAll(caller) || agent.is_default || agent.owner_id === caller.userId || agent.shared_with.includes(caller.userId)
}

/** Its owner, or an admin. */
export function mayChange(caller: Caller, agent: Pick<AgentRow, "owner_id">): boolean {
  return seesAll(caller) || agent.owner_id === caller.userId
}

export interface Access {
  service: AgentsService
  /** The agent that a call means: by name, by a session's key, or the default one. */
  meant(caller: Caller, agentId: string | undefined, sessionKey?: string): Promise<AgentRow>
  /** The row, or `unknown_agent`: also for one that the caller may not use. */
  demand(caller: Caller, ref: string): Promise<AgentRow>
}

/** Agents as others see them. Warm look-ups touch no database: a tenant's agents are cached until one of them changes. */
export function createAccess(host: Host<typeof manifest>): Access {
  interface Known {
    row: AgentRow
    profile: AgentProfile
  }
  const shared = { max: 20_000, ttlMs: 300_000, changedBy: ["agents.changed"] }
  const known = host.cache<Known | null>({
    ...shared,
    async load(caller, ref) {
      const row = await findAgent(host.db.for(caller), ref)
      return row && { row, profile: profileOf(row) }
    },
  })
  const fallback = host.cache<Known | null>({
    ...shared,
    async load(caller) {
      const db = host.db.for(caller)
      let row = await findFallback(db)
      if (!row) {
        await ensureDefault(host, caller)
        // Read again in any case: another request may have made it meanwhile.
        row = await findFallback(db)
      }
      return row && { row, profile: profileOf(row) }
    },
  })
  const usable = (caller: Caller, found: Known | null) => (found && mayUse(caller, found.row) ? found : null)
  const unknown = (ref: string) => host.fail("unknown_agent", { agent: ref.slice(0, 100) })
  return {
    async meant(caller, agentId, sessionKey = "") {
      const ref = agentId || /^agent:([^:]+):/.exec(sessionKey)?.[1] || "default"
      const found = usable(caller, await (ref === "default" ? fallback.get(caller, "") : known.get(caller, ref)))
      if (!found) throw unknown(ref)
      return found.row
    },
    service: {
      async resolve(caller, ref) {
        return usable(caller, await known.get(caller, ref))?.profile ?? null
      },
      async find(caller, ref) {
        return (await known.get(caller, ref))?.profile ?? null
      },
      async users(caller, ref) {
        const row = (await known.get(caller, ref))?.row
        return row?.is_default ? "everyone" : row ? [row.owner_id, ...row.shared_with] : []
      },
      async fallback(caller) {
        return usable(caller, await fallback.get(caller, ""))?.profile ?? null
      },
      async list(caller) {
        await fallback.get(caller, "")
        return (await listAgents(host.db.for(caller), seesAll(caller) ? null : caller.userId, 1_000, 0)).reverse().map(profileOf)
      },
      async renameProvider(caller, from, to) {
        return host.db.for(caller).transaction(async (tx) => {
          const count = await renameProvider(tx, from, to)
          if (count > 0) tx.publish("agents.changed", { id: "" })
          return count
        })
      },
    },
    async demand(caller, ref) {
      const row = await findAgent(host.db.for(caller), ref)
      if (!row || !mayUse(caller, row)) throw unknown(ref)
      return row
    },
  }
}
