import { randomUUID, randomUUIDv7 } from "node:crypto"
import { type Caller, type Host, jsonText, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { lookUp } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { placeOf } from "./messages.ts"
import { lockSession } from "./store.ts"

const Nothing = row(Type.Object({}))
const Place = row(Type.Object({ ordinal: Type.Integer() }))

/** A new session of the caller's that holds what another holds up to one of its messages. From there on each goes its own way. */
export function createBranches(host: Host<typeof manifest>) {
  return async function branch(caller: Caller, key: string, messageId: string | undefined, label: string | undefined): Promise<{ key: string; messageCount: number }> {
    const source = await lookUp(host, caller, key)
    if (!source) throw host.fail("unknown_session", { key: key.slice(0, 100) })
    const db = host.db.for(caller)
    const place = messageId === undefined ? null : await placeOf(db, source.id, messageId)
    if (messageId !== undefined && place === null) throw host.fail("unknown_message", { message: messageId.slice(0, 100) })
    // Source of the form: wire contract, websocket 6.1.
    const branchKey = `agent:${source.agent_key}:branch:direct:${randomUUID()}`
    const id = randomUUIDv7()
    return db.transaction(async (tx) => {
      if (!(await lockSession(tx, source.id))) throw host.fail("unknown_session", { key: key.slice(0, 100) })
      // A call of tools without their results would be refused by every provider.
      const upTo =
        place === null
          ? null
          : ((
              await tx.maybeOne(sql.type(Place)`
                SELECT ordinal - 1 AS ordinal FROM sessions.messages WHERE session_id = ${source.id} AND ordinal > ${place} AND role <> 'tool' ORDER BY ordinal LIMIT 1`)
            )?.ordinal ?? null)
      const within = sql.fragment`session_id = ${source.id} AND NOT pending AND (${upTo}::bigint IS NULL OR ordinal <= ${upTo}::bigint)`
      const { rowCount } = await tx.query(sql.type(Nothing)`
        INSERT INTO sessions.messages (id, session_id, ordinal, role, content, parts, thinking, tool_calls, tool_call_id, is_error, created_at)
        SELECT gen_random_uuid(), ${id}, ordinal, role, content, parts, thinking, tool_calls, tool_call_id, is_error, created_at FROM sessions.messages WHERE ${within}`)
      const from = { branched_from: key, ...(messageId !== undefined && { branched_at: messageId }) }
      // The summary holds for the branch when all that it is of is in there.
      await tx.query(sql.type(Nothing)`
        INSERT INTO sessions.sessions (id, session_key, agent_key, user_id, channel, chat_id, label, provider, model, model_override, summary, summarized_to, compaction_count, metadata,
          message_count, next_ordinal)
        SELECT ${id}, ${branchKey}, agent_key, ${caller.userId}, channel, ${caller.userId}, coalesce(${label ?? null}, label), provider, model, model_override,
          CASE WHEN kept THEN summary ELSE '' END, CASE WHEN kept THEN summarized_to ELSE 0 END, CASE WHEN kept THEN compaction_count ELSE 0 END, metadata || ${jsonText(from)}::jsonb,
          ${rowCount}, next_ordinal
        FROM sessions.sessions s, LATERAL (SELECT ${upTo}::bigint IS NULL OR summarized_to <= ${upTo}::bigint AS kept) k WHERE s.id = ${source.id}`)
      tx.audit({ action: "session.branched", entityType: "session", entityId: branchKey, details: from })
      return { key: branchKey, messageCount: rowCount }
    })
  }
}
