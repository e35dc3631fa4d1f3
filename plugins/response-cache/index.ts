import { AgentParts, type Caller, definePlugin, type Page, pageOf, seesAll } from "@plugboard/sdk"
import { countsOf, createCounts, pruneCounts } from "./counts.ts"
import { createEmbedding } from "./embedding.ts"
import { dropExpired, listEntries, purge, type Whose } from "./entries.ts"
import { keepAnswer } from "./keep.ts"
import { manifest } from "./manifest.ts"
import { recallAnswer } from "./recall.ts"
import { createRules } from "./rules.ts"

export default definePlugin(manifest, (host) => {
  const rules = createRules(host)
  const counts = createCounts(host)

  /** Below admin everybody has only their own. */
  const withinReach = (caller: Caller, { agent, user }: Whose): Whose => ({ agent, user: seesAll(caller) ? user : caller.userId })
  const stats = (caller: Caller, days: number) => countsOf(host.db.for(caller), days)
  const list = async (caller: Caller, whose: Whose, page: Page) => ({ ...(await listEntries(host.db.for(caller), withinReach(caller, whose), page)), ...page })
  const forget = (caller: Caller, asked: Whose) =>
    host.db.for(caller).transaction(async (tx) => {
      const whose = withinReach(caller, asked)
      const removed = await purge(tx, whose)
      const entityId = whose.agent ?? whose.user ?? "all"
      tx.audit({ action: "response_cache.purged", entityType: "response_cache", entityId, details: { ...whose, removed } })
      return { ok: true as const, removed }
    })
  const paged = ({ limit, offset }: { limit?: number | string; offset?: number | string }) => pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 1_000, 50)

  host.contribute(AgentParts, manifest.id, {
    async remove(caller, { key }) {
      await purge(host.db.for(caller), { agent: key })
      await rules.forget(caller, key)
    },
  })
  return {
    hooks: { "llm.calling": recallAnswer(host, rules, createEmbedding(host), counts), "llm.called": keepAnswer(host) },
    routes: {
      stats: ({ query, caller }) => stats(caller, daysOf(query.days)),
      list: ({ query, caller }) => list(caller, query, paged(query)),
      purge: ({ query, caller }) => forget(caller, query),
      rules: ({ query, caller }) => rules.list(caller, paged(query)),
      setRule: ({ params, body, caller }) => rules.set(caller, params.subject, body),
      removeRule: ({ params, caller }) => rules.remove(caller, params.subject),
    },
    rpc: {
      "response_cache.stats": ({ days }, { caller }) => stats(caller, days ?? 30),
      "response_cache.list": (params, { caller }) => list(caller, params, paged(params)),
      "response_cache.purge": (whose, { caller }) => forget(caller, whose),
      "response_cache.rules.list": (params, { caller }) => rules.list(caller, paged(params)),
      "response_cache.rules.set": ({ subject, ...change }, { caller }) => rules.set(caller, subject, change),
      "response_cache.rules.delete": ({ subject }, { caller }) => rules.remove(caller, subject),
    },
    jobs: {
      prune: async (_, { caller }) => {
        await dropExpired(host.db.for(caller))
        await pruneCounts(host.db.for(caller), host.config.keepDays)
      },
    },
    stop: () => counts.stop(),
  }
})

function daysOf(text: string | undefined): number {
  const days = Math.trunc(Number(text))
  return days >= 1 ? Math.min(days, 365) : 30
}
