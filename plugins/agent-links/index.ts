import { AgentLinks, AgentParts, AgentSections, definePlugin, pageOf } from "@plugboard/sdk"
import { createChanges } from "./change.ts"
import { createDelegating } from "./delegating.ts"
import { manifest } from "./manifest.ts"
import { createReading } from "./reading.ts"
import { createSection } from "./section.ts"
import { deleteLinksOf, type LinkChange } from "./store.ts"

export default definePlugin(manifest, (host) => {
  const changes = createChanges(host)
  const reading = createReading(host)
  host.offer(AgentLinks, { ...createDelegating(host), joinTeam: changes.joinTeam, leaveTeam: changes.leaveTeam })
  host.contribute(AgentSections, "links", createSection(host, changes))
  host.contribute(AgentParts, manifest.id, {
    async remove(caller, { id }) {
      await host.db.for(caller).transaction(async (tx) => {
        if ((await deleteLinksOf(tx, id)) > 0) tx.publish("agent_links.changed", {})
      })
    },
  })
  const ok = { ok: true } as const
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, 1_000)
        const rows = await reading.list(caller, undefined, "all", limit, offset)
        return { links: await Promise.all(rows.map((row) => reading.shownOverHttp(caller, row))), count: rows.length }
      },
      create: async ({ body, caller }) => reading.shownOverHttp(caller, await changes.create(caller, body.source_agent, body.target_agent, changeOf(body))),
      update: async ({ params, body, caller }) => {
        await changes.update(caller, params.linkID, changeOf(body))
        return ok
      },
      remove: async ({ params, caller }) => {
        await changes.remove(caller, params.linkID)
        return ok
      },
    },
    rpc: {
      "agents.links.list": async ({ agentId, direction }, { caller }) => {
        const rows = await reading.list(caller, agentId, direction ?? "from", 1_000, 0)
        return { links: await Promise.all(rows.map((row) => reading.shown(caller, row))), count: rows.length }
      },
      "agents.links.create": async (params, { caller }) => ({
        link: await reading.shown(caller, await changes.create(caller, params.sourceAgent, params.targetAgent, changeOf(params))),
      }),
      "agents.links.update": async (params, { caller }) => {
        await changes.update(caller, params.linkId, changeOf(params))
        return ok
      },
      "agents.links.delete": async ({ linkId }, { caller }) => {
        await changes.remove(caller, linkId)
        return ok
      },
    },
  }
})

/** The known fields and no others: what else a body holds is not for the table. The socket has a spelling of its own for one of them. */
function changeOf(given: LinkChange & { maxConcurrent?: number }): LinkChange {
  const { direction, description, settings, status } = given
  const change = { direction, description, settings, status, max_concurrent: given.maxConcurrent ?? given.max_concurrent }
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}
