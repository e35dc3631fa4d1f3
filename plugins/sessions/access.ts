import { randomUUIDv7 } from "node:crypto"
import { type Caller, type Host, type SessionsService, seesAll } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type MessagePage, messagesBetween, placeOf } from "./messages.ts"
import { appendMessage, countSessions, deleteSessionsOfAgent, type Filter, findSession, newestSession, type SessionRow } from "./store.ts"

type Host_ = Host<typeof manifest>

/** Whose sessions a list shows: everybody's to admins, who may narrow it; their own to everybody else. */
export function visibleTo(caller: Caller, asked?: string): string | null {
  return seesAll(caller) ? (asked ?? null) : caller.userId
}

/** The one place that decides who sees a session. Null when there is none; `foreign` when it is another user's. */
export async function lookUp(host: Host_, caller: Caller, key: string): Promise<SessionRow | null> {
  const session = await findSession(host.db.for(caller), key)
  if (session && session.user_id !== caller.userId && !seesAll(caller)) throw host.fail("foreign", { key: key.slice(0, 100) })
  return session
}

/** The newest messages of a session, or those before one of them. */
export async function pageOfSession(host: Host_, caller: Caller, session: SessionRow, { before, limit }: { before?: string; limit?: number } = {}): Promise<MessagePage> {
  const db = host.db.for(caller)
  const place = before === undefined ? null : await placeOf(db, session.id, before)
  if (before !== undefined && place === null) throw host.fail("unknown_message", { message: before.slice(0, 100) })
  return messagesBetween(db, session.id, 0, place, Math.min(limit ?? Number.POSITIVE_INFINITY, host.config.pageMessages))
}

/** Sessions as other plugins read them. */
export function createReads(host: Host_): Pick<SessionsService, "facts" | "history" | "newest" | "append" | "removeOfAgent" | "count"> {
  const everything: Filter = { userId: null, agentKey: null, channel: null }
  return {
    async facts(caller, key) {
      const session = await lookUp(host, caller, key)
      return session && { key: session.session_key, agentKey: session.agent_key, userId: session.user_id, activeRun: session.active_run }
    },
    async history(caller, key, page) {
      const session = await lookUp(host, caller, key)
      return session ? pageOfSession(host, caller, session, page) : { messages: [], more: false }
    },
    async newest(caller, agentKey, running) {
      return (await newestSession(host.db.for(caller), caller.userId, agentKey, running))?.session_key ?? null
    },
    async append(caller, key, content) {
      const session = await lookUp(host, caller, key)
      if (!session) return null
      const id = randomUUIDv7()
      await appendMessage(host.db.for(caller), session.id, id, content)
      return id
    },
    removeOfAgent: (caller, agentKey) => deleteSessionsOfAgent(host.db.for(caller), agentKey),
    count: (caller) => countSessions(host.db.for(caller), { ...everything, userId: visibleTo(caller) }),
  }
}
