import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const Row = Type.Object({ id: Text, agent_id: Text, wish: Text })
export type SummoningRow = Static<typeof Row>
const columns = sql.fragment`id, agent_id, wish`

/** Null while the agent is summoned already. */
export function insertSummoning(db: Queries, summoning: SummoningRow, node: { id: string; boot: string }) {
  return db.maybeOne(sql.type(row(Row))`
    INSERT INTO agent_summoning.summonings (id, agent_id, wish, node, boot)
    VALUES (${summoning.id}, ${summoning.agent_id}, ${summoning.wish}, ${node.id}, ${node.boot})
    ON CONFLICT (tenant_id, agent_id) DO NOTHING RETURNING ${columns}`)
}

export function findSummoning(db: Queries, agentId: string) {
  return db.maybeOne(sql.type(row(Row))`SELECT ${columns} FROM agent_summoning.summonings WHERE agent_id = ${agentId}`)
}

/** Null when it is over already: who removes it says how it has ended. */
export function endSummoning(db: Queries, agentId: string, id: string | null) {
  return db.maybeOne(sql.type(row(Row))`DELETE FROM agent_summoning.summonings WHERE agent_id = ${agentId} AND (${id}::uuid IS NULL OR id = ${id}) RETURNING ${columns}`)
}

/** Those whose gateway is gone: this node had another boot, or they have taken longer than any may. */
export function lostSummonings(db: Queries, node: string, boot: string, limitSeconds: number) {
  return db.any(sql.type(row(Row))`
    SELECT ${columns} FROM agent_summoning.summonings
    WHERE (node = ${node} AND boot <> ${boot}) OR started_at < now() - make_interval(secs => ${limitSeconds + 60})
    ORDER BY started_at LIMIT 1000`)
}
