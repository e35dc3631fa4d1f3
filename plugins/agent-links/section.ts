import { type AgentSection, Agents, type Host } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { Changes } from "./change.ts"
import { Exported, type manifest } from "./manifest.ts"
import { listLinks } from "./store.ts"

const most = 1_000

/** Links that lead from an agent in its export, but for those of teams. In an import, those to agents that the tenant has. */
export function createSection(host: Host<typeof manifest>, changes: Changes): AgentSection {
  const agents = host.use(Agents)
  const own = async (caller: Parameters<AgentSection["counts"]>[0], id: string) =>
    (await listLinks(host.db.for(caller), { agentId: id, direction: "from", among: null }, most, 0)).filter(({ team_id }) => team_id === null)
  return {
    entry: Exported,
    counts: async (caller, { id }) => ({ links: (await own(caller, id)).length }),
    async *read(caller, { id }) {
      for (const { target_agent_id, direction, description, max_concurrent, settings, status } of await own(caller, id)) {
        const target = await agents.find(caller, target_agent_id)
        if (target) yield { target_agent_key: target.key, direction, description, max_concurrent, settings, status }
      }
    },
    async write(caller, agent, entries) {
      let links = 0
      for (const { target_agent_key, ...link } of entries as Static<typeof Exported>[]) {
        const target = await agents.find(caller, target_agent_key)
        if (target && target.id !== agent.id && target.type !== "open" && (await changes.link(caller, agent, target, link))) links += 1
      }
      return { links }
    },
  }
}
