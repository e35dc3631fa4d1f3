import { Agents, type Caller, type Host, type Role, Runs, Sessions } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type DelegationRow, markAnnounced, unannounced } from "./records.ts"

/** What an agent reads of a result; the rest is in the record. */
export function shortened(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}\n\n[The rest, ${text.length - maxChars} characters, is left out.]`
}

/** Tells the source agent what became of work that it did not wait for: a run of its own in the session from which the work was handed on. */
export function createAnnouncing(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const sessions = host.use(Sessions)
  const runs = host.use(Runs)
  const underWay = new Set<string>()

  function messageOf(row: DelegationRow): string {
    const said = row.status === "completed" ? row.result || "(It said nothing.)" : (row.error ?? "")
    return [
      `[Delegation ${row.id} to ${row.target_agent_key}: ${row.status}]`,
      shortened(said, host.config.maxResultChars),
      "[You handed this work on earlier. Tell the user what matters of it, or go on with it.]",
    ].join("\n\n")
  }

  /** True when there is nothing more to do, also because nobody is there to be told. */
  async function tell(caller: Caller, row: DelegationRow): Promise<boolean> {
    const runId = row.announce_run_id
    if (runId === null || (await sessions.answer(caller, runId))) return true
    const source = await agents.resolve({ ...caller, role: "admin" }, row.source_agent_id)
    if (source?.status !== "active" || !(await sessions.facts(caller, row.parent_session_key))) return true
    try {
      await runs.start(caller, {
        agent: source,
        sessionKey: row.parent_session_key,
        channel: row.parent_channel,
        chatId: row.parent_chat_id,
        message: messageOf(row),
        runId,
        idempotencyKey: `delegation:${row.id}`,
        origin: { runKind: "announce", delegationId: row.id, parentAgentId: row.source_agent_key, parentRunId: row.parent_run_id },
      })
      return true
    } catch (err) {
      host.log.info({ err, delegation: row.id }, "result of a delegation not announced; it is tried again")
      return false
    }
  }

  async function announce(tenantId: string, row: DelegationRow): Promise<void> {
    if (row.announce_run_id === null || underWay.has(row.id)) return
    underWay.add(row.id)
    const caller: Caller = { tenantId, tenantSlug: "", userId: row.user_id, role: row.user_role as Role, scopes: [], locale: "en", via: "system" }
    try {
      if (await tell(caller, row)) await markAnnounced(host.db.for(caller), row.id)
    } finally {
      underWay.delete(row.id)
    }
  }

  return {
    announce,
    /** What was left behind by a gateway that stopped, or by a session that was full. */
    async announceMissed(caller: Caller): Promise<void> {
      for (const row of await unannounced(host.db.for(caller))) await announce(caller.tenantId, row)
    },
  }
}
export type Announcing = ReturnType<typeof createAnnouncing>
