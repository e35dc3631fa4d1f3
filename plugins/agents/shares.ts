import { randomUUIDv7 } from "node:crypto"
import { type Caller, type Host, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { type Access, mayChange } from "./access.ts"
import type { manifest } from "./manifest.ts"
import type { AgentRow } from "./store.ts"

const Text = Type.String()
const Share = Type.Object({ id: Text, agent_id: Text, user_id: Text, role: Text, granted_by: Text, created_at: Text, updated_at: Text })
const Nothing = row(Type.Object({}))
/** An agent's row carries its shares, see `store.ts`. */
const mostShares = 1_000

/** By user. */
function listShares(db: Queries, agentId: string, limit: number, offset: number) {
  return db.any(sql.type(row(Share))`
    SELECT id, agent_id, user_id, role, granted_by, created_at, updated_at FROM agents.shares WHERE agent_id = ${agentId} ORDER BY user_id LIMIT ${limit} OFFSET ${offset}`)
}

/** False when the agent has as many as it can have. */
async function writeShare(db: Queries, agentId: string, userId: string, role: string, grantedBy: string): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    INSERT INTO agents.shares (id, agent_id, user_id, role, granted_by)
    SELECT ${randomUUIDv7()}, ${agentId}, ${userId}, ${role}, ${grantedBy}
    WHERE (SELECT count(*) FROM agents.shares WHERE agent_id = ${agentId} AND user_id <> ${userId}) < ${mostShares}
    ON CONFLICT (tenant_id, agent_id, user_id) DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by, updated_at = now()`)
  return rowCount > 0
}

/** With whom an agent is shared. Its owner and admins say so; that a share exists lets a user in, whatever its role. */
export function createShares(host: Host<typeof manifest>, access: Access) {
  async function owned(caller: Caller, ref: string): Promise<AgentRow> {
    const agent = await access.demand(caller, ref)
    if (!mayChange(caller, agent)) throw host.fail("not_owner", { agent: agent.agent_key })
    return agent
  }
  return {
    owned,
    list: async (caller: Caller, ref: string, limit: number, offset: number): Promise<Static<typeof Share>[]> =>
      listShares(host.db.for(caller), (await owned(caller, ref)).id, limit, offset),
    async add(caller: Caller, ref: string, userId: string, role: string): Promise<void> {
      const { id, agent_key } = await owned(caller, ref)
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await writeShare(tx, id, userId, role, caller.userId))) throw host.fail("too_many_shares", { agent: agent_key, most: mostShares })
        tx.audit({ action: "agent.shared", entityType: "agent", entityId: id, details: { user_id: userId, role } })
        tx.publish("agents.changed", { id })
      })
    },
    /** Nothing happens when there is none. */
    async remove(caller: Caller, ref: string, userId: string): Promise<void> {
      const { id } = await owned(caller, ref)
      await host.db.for(caller).transaction(async (tx) => {
        const { rowCount } = await tx.query(sql.type(Nothing)`DELETE FROM agents.shares WHERE agent_id = ${id} AND user_id = ${userId}`)
        if (rowCount === 0) return
        tx.audit({ action: "agent.share_revoked", entityType: "agent", entityId: id, details: { user_id: userId } })
        tx.publish("agents.changed", { id })
      })
    },
  }
}
