import { randomUUIDv7 } from "node:crypto"
import { type AgentProfile, type AgentRef, Agents, type Caller, type Host, type Tx } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { deleteLink, insertLink, type LinkChange, type LinkRow, linksOfTeam, lockLink, updateLink } from "./store.ts"

type ChangeName = keyof LinkChange
const usual: Required<LinkChange> & { team_id: string | null } = { direction: "outbound", description: "", max_concurrent: 3, settings: {}, status: "active", team_id: null }

/** Writes to links. */
export function createChanges(host: Host<typeof manifest>) {
  const agents = host.use(Agents)

  async function demand(caller: Caller, ref: string): Promise<AgentProfile> {
    const agent = await agents.resolve(caller, ref)
    if (!agent) throw host.fail("unknown_agent", { agent: ref })
    return agent
  }
  const unknown = (id: string) => host.fail("unknown_link", { link: id })
  /** An agent that is gone has no key any more. */
  const keyOf = async (caller: Caller, id: string) => (await agents.find(caller, id))?.key ?? ""
  async function named(caller: Caller, { id, source_agent_id, target_agent_id }: LinkRow) {
    return { link_id: id, source_agent_key: await keyOf(caller, source_agent_id), target_agent_key: await keyOf(caller, target_agent_id) }
  }

  /** Null when the two are linked already. */
  async function add(tx: Tx, caller: Caller, source: AgentRef, target: AgentRef, link: typeof usual): Promise<LinkRow | null> {
    const row = await insertLink(tx, { id: randomUUIDv7(), source_agent_id: source.id, target_agent_id: target.id, ...link, created_by: caller.userId })
    if (!row) return null
    const { id, source_agent_id, target_agent_id, direction, status, team_id } = row
    const keys = { source_agent_key: source.key, target_agent_key: target.key }
    tx.audit({ action: "agent_link.created", entityType: "agent_link", entityId: id, details: { ...keys, direction } })
    tx.publish("agent_link.created", { link_id: id, source_agent_id, target_agent_id, ...keys, direction, ...(team_id !== null && { team_id }), status })
    tx.publish("agent_links.changed", {})
    return row
  }
  async function drop(tx: Tx, caller: Caller, row: LinkRow): Promise<void> {
    await deleteLink(tx, row.id)
    const keys = await named(caller, row)
    tx.audit({ action: "agent_link.deleted", entityType: "agent_link", entityId: row.id, details: keys })
    tx.publish("agent_link.deleted", keys)
    tx.publish("agent_links.changed", {})
  }

  return {
    async create(caller: Caller, sourceRef: string, targetRef: string, given: LinkChange): Promise<LinkRow> {
      const source = await demand(caller, sourceRef)
      const target = await demand(caller, targetRef)
      if (source.id === target.id) throw host.fail("same_agent", { agent: source.key })
      // What such an agent is differs from user to user, so that nobody could say whom the work would reach.
      if (target.type === "open") throw host.fail("open_target", { agent: target.key })
      const link = { ...usual, ...given }
      return host.db.for(caller).transaction(async (tx) => {
        const row = await add(tx, caller, source, target, link)
        if (!row) throw host.fail("linked_already", { source: source.key, target: target.key })
        return row
      })
    },
    /** Null when the two are linked already. */
    link: (caller: Caller, source: AgentRef, target: AgentRef, given: LinkChange) =>
      host.db.for(caller).transaction((tx) => add(tx, caller, source, target, { ...usual, ...given })),
    async update(caller: Caller, id: string, change: LinkChange): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        const present = await lockLink(tx, id)
        if (!present) throw unknown(id)
        const row = { ...present, ...change }
        const changes = (Object.keys(change) as ChangeName[]).filter((name) => JSON.stringify(row[name]) !== JSON.stringify(present[name]))
        await updateLink(tx, row)
        tx.audit({ action: "agent_link.updated", entityType: "agent_link", entityId: row.id, details: { changes } })
        tx.publish("agent_link.updated", { ...(await named(caller, row)), direction: row.direction, status: row.status, changes })
        tx.publish("agent_links.changed", {})
      })
    },
    async remove(caller: Caller, id: string): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        const row = await lockLink(tx, id)
        if (!row) throw unknown(id)
        await drop(tx, caller, row)
      })
    },
    async joinTeam(caller: Caller, teamId: string, leadId: string, memberId: string): Promise<void> {
      const [lead, member] = await Promise.all([agents.find(caller, leadId), agents.find(caller, memberId)])
      if (!lead || !member || member.type === "open") return
      await host.db.for(caller).transaction(async (tx) => {
        await add(tx, caller, lead, member, { ...usual, team_id: teamId })
      })
    },
    async leaveTeam(caller: Caller, teamId: string, memberId: string | null): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        for (const row of await linksOfTeam(tx, teamId, memberId)) await drop(tx, caller, row)
      })
    },
  }
}
export type Changes = ReturnType<typeof createChanges>
