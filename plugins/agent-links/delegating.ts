import { type AgentLink, type AgentLinksService, Agents, type Caller, type Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type LinkRow, linksFrom } from "./store.ts"

/** Whom agents may hand work to. Asked on each turn, so links are kept in memory until one of the tenant's changes. */
export function createDelegating(host: Host<typeof manifest>): Pick<AgentLinksService, "targets" | "between"> {
  const agents = host.use(Agents)
  const leading = host.cache<LinkRow[]>({
    max: 10_000,
    ttlMs: 300_000,
    changedBy: ["agent_links.changed"],
    load: (caller, sourceId) => linksFrom(host.db.for(caller), sourceId),
  })

  async function targets(caller: Caller, sourceId: string): Promise<AgentLink[]> {
    const found = new Map<string, AgentLink>()
    for (const { id, source_agent_id, target_agent_id, description, max_concurrent, settings } of await leading.get(caller, sourceId)) {
      const target = await agents.find(caller, source_agent_id === sourceId ? target_agent_id : source_agent_id)
      if (target?.status !== "active" || found.has(target.key)) continue
      found.set(target.key, { id, target, description, maxConcurrent: max_concurrent, settings })
    }
    return [...found.values()].sort((a, b) => (a.target.key < b.target.key ? -1 : 1))
  }
  return {
    targets,
    between: async (caller, sourceId, ref) => (await targets(caller, sourceId)).find(({ target }) => target.key === ref || target.id === ref) ?? null,
  }
}
