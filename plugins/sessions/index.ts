import { Agents, type Caller, definePlugin, pageOf, reply, Sessions, wireMessage } from "@plugboard/sdk"
import { createReads, lookUp, pageOfSession, visibleTo } from "./access.ts"
import { activityOf } from "./activity.ts"
import { createBranches } from "./branch.ts"
import { createChanges } from "./change.ts"
import { createLeases } from "./leases.ts"
import { manifest } from "./manifest.ts"
import { countSessions, type Filter, listSessions, type SessionRow } from "./store.ts"
import { createSummaries } from "./summary.ts"
import { createTimelines } from "./timeline.ts"
import { createTurns } from "./turns.ts"
import { firstEnd, usageGroups, usedByAgent, usedSessions } from "./usage.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export default definePlugin(manifest, (host) => {
  const changes = createChanges(host)
  const leases = createLeases(host)
  const branch = createBranches(host)
  const timeline = createTimelines(host)
  host.offer(Sessions, {
    ...createTurns(host),
    ...createReads(host),
    ...createSummaries(host),
    activity: (caller, keys, seconds) => activityOf(host.db.for(caller), keys, seconds),
    clear: changes.clear,
    remove: changes.remove,
    usage: (caller, from, to, most, skip) => usageGroups(host.db.for(caller), from, to, most, skip),
    usedSince: (caller, from) => firstEnd(host.db.for(caller), from),
    usedByAgent: (caller) => usedByAgent(host.db.for(caller)),
    async used(caller, { agent, provider = null, from = null, to = null }, limit, offset) {
      return usedSessions(host.db.for(caller), { userId: visibleTo(caller), agent: await keyOf(caller, agent), provider, from, to }, limit, offset)
    },
  })

  /** Sessions carry their agent's key; a list may be asked for by its id too. */
  async function keyOf(caller: Caller, agent: string | undefined): Promise<string | null> {
    if (!agent) return null
    const known = uuid.test(agent) && host.has(Agents) ? await host.use(Agents).resolve(caller, agent) : null
    return known?.key ?? agent
  }
  async function list(caller: Caller, filter: Filter, page: { limit: number; offset: number }) {
    const db = host.db.for(caller)
    const [rows, total] = await Promise.all([listSessions(db, filter, page.limit, page.offset), countSessions(db, filter)])
    return { rows, total, ...page }
  }
  /** Rows as the socket shows them, with what is known of their agents. */
  async function infosOf(caller: Caller, rows: readonly SessionRow[]) {
    const keys = host.has(Agents) ? [...new Set(rows.map((row) => row.agent_key))] : []
    const agents = new Map(await Promise.all(keys.map(async (key) => [key, await host.use(Agents).resolve(caller, key)] as const)))
    return rows.map((row) => sessionInfo(row, agents.get(row.agent_key)?.contextWindow))
  }
  async function preview(caller: Caller, key: string, page: { limit?: number; before?: string }) {
    const session = await lookUp(host, caller, key)
    if (!session) {
      // To an admin a session that is not there is an empty one.
      if (visibleTo(caller) === null) return { key, messages: [], summary: "" }
      throw host.fail("unknown_session", { key: key.slice(0, 100) })
    }
    const { messages, more } = await pageOfSession(host, caller, session, page)
    return { key, messages: messages.map(wireMessage), summary: session.summary, ...(more && { hasMore: true as const }) }
  }
  const ok = { ok: true } as const
  return {
    routes: {
      list: async ({ query, caller, headers }) => {
        const filter = { userId: visibleTo(caller, query.user_id), agentKey: await keyOf(caller, query.agent_id), channel: query.channel || null }
        const { rows, ...page } = await list(caller, filter, pageOf(query, 200, 20))
        // The command-line client wants its rows in another spelling. Source: wire contract, http-core 12.
        const payload = headers["x-goclaw-user-id"] === undefined ? { payload: rows.map(wireRow) } : {}
        return { sessions: await infosOf(caller, rows), ...page, ...payload }
      },
      preview: ({ params, query, caller }) => preview(caller, params.key, { before: query.before, limit: pageOf({ limit: query.limit }, host.config.pageMessages).limit }),
      branch: async ({ params, body, caller }) => ({ ...ok, ...(await branch(caller, params.key, body.message_id, body.label)) }),
      timeline: async ({ params, query, caller }) => {
        const page = pageOf(query, 500, 200)
        const { runId, sessionKey, items } = await timeline(caller, params.runID, query.session_key, page)
        return { run_id: runId, session_key: sessionKey, items, ...page }
      },
      reset: async ({ params, caller }) => {
        await changes.reset(caller, params.key)
        return ok
      },
      patch: async ({ params, body, caller }) => {
        await changes.patch(caller, params.key, body)
        return reply.json({ ...ok, key: params.key })
      },
      remove: async ({ params, caller }) => {
        await changes.remove(caller, params.key)
        return ok
      },
    },
    rpc: {
      "sessions.list": async ({ agentId, channel, limit, offset }, { caller }) => {
        const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 200, 20)
        const { rows, ...rest } = await list(caller, { userId: visibleTo(caller), agentKey: await keyOf(caller, agentId), channel: channel || null }, page)
        return { sessions: await infosOf(caller, rows), ...rest }
      },
      "sessions.preview": ({ key, ...page }, { caller }) => preview(caller, key, page),
      "sessions.branch": async ({ key, messageId, label }, { caller }) => ({ ...ok, ...(await branch(caller, key, messageId, label)) }),
      "run.timeline.get": async ({ runId, sessionKey, limit, offset }, { caller }) => {
        const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 500, 200)
        return { ...(await timeline(caller, runId, sessionKey, page)), ...page }
      },
      "sessions.patch": async ({ key, ...change }, { caller }) => {
        await changes.patch(caller, key, change)
        return { ...ok, key }
      },
      "sessions.label": async ({ key, label }, { caller }) => {
        await changes.patch(caller, key, { label })
        return { ...ok, key }
      },
      "sessions.reset": async ({ key }, { caller }) => {
        await changes.reset(caller, key)
        return ok
      },
      "sessions.delete": async ({ key }, { caller }) => {
        await changes.remove(caller, key)
        return ok
      },
    },
    start: () => leases.start(),
    stop: async () => leases.stop(),
  }
})

/** Source: wire contract, websocket 4.4. */
function sessionInfo(row: SessionRow, contextWindow: number | undefined) {
  return {
    key: row.session_key,
    messageCount: row.message_count,
    created: row.created_at,
    updated: row.updated_at,
    ...(row.label !== "" && { label: row.label }),
    channel: row.channel,
    userID: row.user_id,
    metadata: row.metadata,
    ...(row.model !== "" && { model: row.model }),
    ...(row.provider !== "" && { provider: row.provider }),
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    agentName: row.agent_key,
    ...(row.context_tokens > 0 && { estimatedTokens: row.context_tokens }),
    ...(contextWindow !== undefined && { contextWindow }),
    compactionCount: row.compaction_count,
  }
}

function wireRow(row: SessionRow) {
  const { session_key, agent_key, user_id, label, channel, model, provider, message_count, input_tokens, output_tokens, created_at, updated_at } = row
  return { session_key, agent_id: agent_key, user_id, label, channel, model, provider, message_count, input_tokens, output_tokens, created_at, updated_at }
}
