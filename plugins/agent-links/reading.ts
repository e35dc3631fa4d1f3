import { Agents, type Caller, type Host, seesAll, Teams } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type LinkFilter, type LinkRow, listLinks } from "./store.ts"

/** Links as clients read them: with the names of both agents. Source: wire contract, websocket 4.3. */
export function createReading(host: Host<typeof manifest>) {
  const agents = host.use(Agents)

  async function shown(caller: Caller, row: LinkRow) {
    const { description, settings, team_id, ...rest } = row
    const teams = host.has(Teams, caller) ? await host.use(Teams).all(caller) : []
    const team = teams.find(({ id }) => id === team_id)
    const led = teams.find(({ leadAgentId }) => leadAgentId === row.target_agent_id)
    const [source, target] = await Promise.all([agents.find(caller, row.source_agent_id), agents.find(caller, row.target_agent_id)])
    return {
      ...rest,
      ...(team_id !== null && { team_id }),
      ...(team && { team_name: team.name }),
      ...(led && { target_is_team_lead: true, target_team_name: led.name }),
      ...(description !== "" && { description }),
      ...(Object.keys(settings).length > 0 && { settings }),
      ...(source && { source_agent_key: source.key, source_display_name: source.displayName, source_emoji: source.emoji }),
      ...(target && { target_agent_key: target.key, target_display_name: target.displayName, target_emoji: target.emoji, target_description: target.description }),
    }
  }
  return {
    shown,
    /** The command-line client's spelling of both keys beside it. */
    async shownOverHttp(caller: Caller, row: LinkRow) {
      const link = await shown(caller, row)
      return { ...link, source_agent: link.source_agent_key ?? row.source_agent_id, target_agent: link.target_agent_key ?? row.target_agent_id }
    },
    /** Below admin, only links between agents that the caller may use: of others he is told nothing. */
    async list(caller: Caller, of: string | undefined, direction: LinkFilter["direction"], limit: number, offset: number): Promise<LinkRow[]> {
      const agent = of ? await agents.resolve(caller, of) : null
      if (of && !agent) throw host.fail("unknown_agent", { agent: of })
      const among = seesAll(caller) ? null : (await agents.list(caller)).map(({ id }) => id)
      return listLinks(host.db.for(caller), { agentId: agent?.id ?? null, direction, among }, limit, offset)
    },
  }
}
