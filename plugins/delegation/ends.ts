import { type Caller, type Host, Runs, type Tx } from "@plugboard/sdk"
import type { Announcing } from "./announcing.ts"
import type { manifest } from "./manifest.ts"
import { cancelOfParent, type DelegationRow, type End, endDelegation, failRunning } from "./records.ts"
import { toldDelegation } from "./wire.ts"

/** Writes down how delegations end, each once, whoever comes first: the node that waits, the end of the parent, or the look after what was left behind. */
export function createEnds(host: Host<typeof manifest>, announcing: Announcing) {
  const runs = host.use(Runs)

  function tell(tx: Tx, row: DelegationRow): void {
    const { id, status, source_agent_key, target_agent_key, user_id } = row
    tx.audit({ action: `delegation.${status}`, entityType: "delegation", entityId: id, details: { source: source_agent_key, target: target_agent_key } })
    tx.publish(`delegation.${status}`, toldDelegation(row), { userId: user_id })
  }

  return {
    /** Null when it had ended before. */
    async end(caller: Caller, id: string, end: End): Promise<DelegationRow | null> {
      return host.db.for(caller).transaction(async (tx) => {
        const row = await endDelegation(tx, id, end)
        if (row) tell(tx, row)
        return row
      })
    },
    /** A run was ended by its user: what it has handed on ends too. */
    async cancelWith(caller: Caller, parentRunId: string): Promise<void> {
      const rows = await host.db.for(caller).transaction(async (tx) => {
        const cancelled = await cancelOfParent(tx, parentRunId)
        for (const row of cancelled) tell(tx, row)
        return cancelled
      })
      for (const row of rows) await runs.abort(caller, row.run_id)
    },
    /** Nobody waits for these any more: their gateway is gone. */
    async fail(caller: Caller, which: { runId: string } | "overdue"): Promise<void> {
      const error = (await host.describe(host.fail("interrupted", {}), caller.locale)) ?? ""
      const rows = await host.db.for(caller).transaction(async (tx) => {
        const failed = await failRunning(tx, which, error)
        for (const row of failed) tell(tx, row)
        return failed
      })
      for (const row of rows) await announcing.announce(caller.tenantId, row)
    },
  }
}
export type Ends = ReturnType<typeof createEnds>
