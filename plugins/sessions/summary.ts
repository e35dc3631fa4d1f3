import { type Caller, type Host, type NewSummary, row, type SessionMemory, type SessionsService, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { lookUp } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { messagesBetween } from "./messages.ts"

const Nothing = row(Type.Object({}))
const Memory = Type.Object({ summary: Type.String(), summarized_to: Type.Integer(), beyond: Type.Integer(), busy: Type.Boolean() })
const busy = sql.fragment`EXISTS (SELECT FROM sessions.runs r WHERE r.id = s.active_run AND r.status = 'running' AND r.lease_until > now())`

/** What a session's model is shown in place of old messages. Those stay stored, and are shown to people as ever. */
export function createSummaries(host: Host<typeof manifest>): Pick<SessionsService, "memory" | "between" | "summarize"> {
  return {
    async memory(caller: Caller, key: string): Promise<SessionMemory | null> {
      const session = await lookUp(host, caller, key)
      if (!session) return null
      const memory = await host.db.for(caller).maybeOne(sql.type(row(Memory))`
        SELECT summary, summarized_to, (SELECT count(*) FROM sessions.messages m WHERE m.session_id = s.id AND m.ordinal > s.summarized_to) AS beyond, ${busy} AS busy
        FROM sessions.sessions s WHERE id = ${session.id}`)
      return memory && { agentKey: session.agent_key, model: session.model, summary: memory.summary, summarizedTo: memory.summarized_to, beyond: memory.beyond, busy: memory.busy }
    },
    async between(caller, key, after, before, limit) {
      const session = await lookUp(host, caller, key)
      return session ? (await messagesBetween(host.db.for(caller), session.id, after, before, limit)).messages : []
    },
    async summarize(caller: Caller, { sessionKey, summary, from, to, tokens, usage, byHand }: NewSummary): Promise<boolean> {
      const session = await lookUp(host, caller, sessionKey)
      if (!session) return false
      return host.db.for(caller).transaction(async (tx) => {
        // What was cleared, or summarized by somebody else meanwhile, is not what this is of. And the messages of a run under way get places before those that came meanwhile.
        const { rowCount } = await tx.query(sql.type(Nothing)`
          UPDATE sessions.sessions s SET summary = ${summary}, summarized_to = ${to}, compaction_count = compaction_count + 1, context_tokens = ${tokens},
            input_tokens = input_tokens + ${usage?.promptTokens ?? 0}, output_tokens = output_tokens + ${usage?.completionTokens ?? 0}
          WHERE id = ${session.id} AND summarized_to = ${from} AND EXISTS (SELECT FROM sessions.messages WHERE session_id = ${session.id} AND ordinal <= ${to})
            AND NOT (${byHand ?? false} AND ${busy})`)
        if (rowCount > 0 && byHand) tx.audit({ action: "session.compacted", entityType: "session", entityId: sessionKey })
        return rowCount > 0
      })
    },
  }
}
