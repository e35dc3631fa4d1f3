import { AgentParts, type Caller, definePlugin, pageOf, seesAll, Tools } from "@plugboard/sdk"
import { createAnnouncing } from "./announcing.ts"
import { createEnds } from "./ends.ts"
import { manifest } from "./manifest.ts"
import { type DelegationRow, deleteOfAgent, type Filter, findDelegation, listDelegations, pruneDelegations } from "./records.ts"
import { createDelegateTool } from "./tool.ts"
import { wireDelegation } from "./wire.ts"

/** Characters of a result over the socket. Source: wire contract, websocket 4.15. */
const inListChars = 500
const aloneChars = 8_000
const longestStopMs = 3_000

export default definePlugin(manifest, (host) => {
  const announcing = createAnnouncing(host)
  const ends = createEnds(host, announcing)
  const { tool, offerDelegate, settled } = createDelegateTool(host, ends, announcing)
  host.contribute(Tools, tool.name, tool)
  host.contribute(AgentParts, manifest.id, { remove: (caller, agent) => deleteOfAgent(host.db.for(caller), agent.id) })

  async function find(caller: Caller, id: string): Promise<DelegationRow> {
    const row = await findDelegation(host.db.for(caller), id)
    if (!row || !(seesAll(caller) || row.user_id === caller.userId)) throw host.fail("unknown_delegation", { id })
    return row
  }
  function list(caller: Caller, given: Partial<Filter>, page: { limit: number; offset: number }) {
    const filter = { source: null, target: null, either: null, teamId: null, status: null, ...given, userId: seesAll(caller) ? (given.userId ?? null) : caller.userId }
    return listDelegations(host.db.for(caller), filter, page.limit, page.offset)
  }
  const logged = (work: Promise<void>, runId: string) =>
    work.catch((err: unknown) => host.log.warn({ err, run: runId }, "delegations of a run not ended; they are looked after later"))

  host.events.subscribe("sessions.interrupted", ({ runId }: { runId: string }, { tenantId }) => {
    const caller: Caller = { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
    void logged(ends.fail(caller, { runId }), runId)
  })

  return {
    hooks: {
      "tools.resolving": offerDelegate,
      "run.finished": async ({ runId, status }, { caller }) => {
        if (status === "cancelled") await ends.cancelWith(caller, runId)
        return undefined
      },
    },
    routes: {
      list: async ({ query, caller }) => {
        const { source_agent_id, target_agent_id, agent_id, team_id, user_id, status } = query
        // An empty filter, as forms send it, is none.
        const filter = {
          source: source_agent_id || null,
          target: target_agent_id || null,
          either: agent_id || null,
          teamId: team_id || null,
          userId: user_id || null,
          status: status || null,
        }
        const { rows, total } = await list(caller, filter, pageOf(query, 200, 50))
        return { records: rows.map((row) => wireDelegation(row)), total }
      },
      get: async ({ params, caller }) => wireDelegation(await find(caller, params.id)),
    },
    rpc: {
      "delegations.list": async ({ agentId, status, limit, offset }, { caller }) => {
        const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 200, 20)
        const { rows, total } = await list(caller, { either: agentId || null, status: status || null }, page)
        return { records: rows.map((row) => wireDelegation(row, inListChars)), total }
      },
      "delegations.get": async ({ id }, { caller }) => wireDelegation(await find(caller, id), aloneChars),
    },
    jobs: {
      tend: async (_, { caller }) => {
        await ends.fail(caller, "overdue")
        await announcing.announceMissed(caller)
        await pruneDelegations(host.db.for(caller), host.config.keepDays)
      },
    },
    start: () => host.eachTenant((caller) => announcing.announceMissed(caller)),
    // The runs have ended with the gateway by now; what became of them is written down.
    stop: async () => {
      await Promise.race([settled(), new Promise((resolve) => setTimeout(resolve, longestStopMs).unref())])
    },
  }
})
