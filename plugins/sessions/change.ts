import { type Caller, type Host, seesAll, type Tx } from "@plugboard/sdk"
import { lookUp } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { clearSession, deleteSession, isBusy, lockSession, type SessionRow, updateSession } from "./store.ts"

interface Change {
  label?: string
  model?: string
  metadata?: Record<string, string>
}

/** Writes to sessions. For admins, clearing or removing what is not there succeeds. Source: wire contract, websocket 3, "Object rules". */
export function createChanges(host: Host<typeof manifest>) {
  async function changing(caller: Caller, key: string, action: string, work: (tx: Tx, session: SessionRow) => Promise<void>): Promise<boolean> {
    const found = await lookUp(host, caller, key)
    if (!found) return false
    await host.db.for(caller).transaction(async (tx) => {
      const session = await lockSession(tx, found.id)
      if (!session) return
      await work(tx, session)
      tx.audit({ action, entityType: "session", entityId: key })
    })
    return true
  }
  const idle = async (tx: Tx, session: SessionRow) => {
    if (await isBusy(tx, session)) throw host.fail("busy", { key: session.session_key })
  }
  const demand = (caller: Caller, key: string, found: boolean) => {
    if (!found && !seesAll(caller)) throw host.fail("unknown_session", { key: key.slice(0, 100) })
  }
  const clear = (caller: Caller, key: string) =>
    changing(caller, key, "session.reset", async (tx, session) => {
      await idle(tx, session)
      await clearSession(tx, session.id)
    })
  return {
    async patch(caller: Caller, key: string, { label, model, metadata }: Change): Promise<void> {
      if (label === undefined && model === undefined && metadata === undefined) throw host.fail("nothing_to_change", {})
      const { context_start_index: _, ...kept } = metadata ?? {}
      const found = await changing(caller, key, "session.patched", (tx, session) => updateSession(tx, session.id, { label: label ?? null, model: model ?? null, metadata: kept }))
      if (!found) throw host.fail("unknown_session", { key: key.slice(0, 100) })
    },
    async reset(caller: Caller, key: string): Promise<void> {
      demand(caller, key, await clear(caller, key))
    },
    async clear(caller: Caller, key: string): Promise<void> {
      await clear(caller, key)
    },
    async remove(caller: Caller, key: string): Promise<void> {
      const found = await changing(caller, key, "session.deleted", async (tx, session) => {
        await idle(tx, session)
        await deleteSession(tx, session.id)
      })
      demand(caller, key, found)
    },
  }
}
