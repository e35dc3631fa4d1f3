import { Agents, type Caller, definePlugin, Providers, pageOf, Runs, seesAll } from "@plugboard/sdk"
import { createAccess } from "./access.ts"
import { createChanges } from "./change.ts"
import { manifest } from "./manifest.ts"
import { listAgents } from "./store.ts"
import { createSummoning } from "./summoning.ts"
import { shownAgent } from "./wire.ts"

export default definePlugin(manifest, (host) => {
  const access = createAccess(host)
  const changes = createChanges(host, access)
  const summoning = createSummoning(host)
  const providers = host.use(Providers)
  host.offer(Agents, access.service)
  const defaultsOf = async (caller: Caller) => (await providers.fallback(caller)) ?? { provider: "", model: "" }
  const runningOf = async (caller: Caller) => new Set(host.has(Runs) ? await host.use(Runs).running(caller) : [])
  /** The agent that a call means: by name, by a session's key, or the default one. */
  const meant = async (caller: Caller, agentId: string | undefined, sessionKey?: string) => {
    const ref = agentId ?? /^agent:([^:]+):/.exec(sessionKey ?? "")?.[1]
    const agent = ref === undefined || ref === "default" ? await access.service.fallback(caller) : await access.service.resolve(caller, ref)
    if (!agent) throw host.fail("unknown_agent", { agent: (ref ?? "default").slice(0, 100) })
    return agent
  }
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, 1_000)
        await access.service.fallback(caller)
        const defaults = await defaultsOf(caller)
        const rows = await listAgents(host.db.for(caller), seesAll(caller) ? null : caller.userId, limit, offset)
        return { agents: rows.map((row) => shownAgent(row, defaults)) }
      },
      create: async ({ body, caller }) => {
        const row = await changes.create(caller, body)
        summoning.announce(caller, row)
        return shownAgent(row, await defaultsOf(caller))
      },
      get: async ({ params, caller }) => shownAgent(await access.demand(caller, params.id), await defaultsOf(caller)),
      update: async ({ params, body, caller }) => ({ ok: "true" as const, agent: shownAgent(await changes.update(caller, params.id, body), await defaultsOf(caller)) }),
      remove: async ({ params, caller }) => {
        await changes.remove(caller, params.id)
        return { ok: "true" as const }
      },
    },
    rpc: {
      "agents.list": async (_, { caller }) => {
        await access.service.fallback(caller)
        const [defaults, running, rows] = await Promise.all([
          defaultsOf(caller),
          runningOf(caller),
          listAgents(host.db.for(caller), seesAll(caller) ? null : caller.userId, 1_000, 0),
        ])
        const active = rows.filter((row) => row.status === "active").map((row) => shownAgent(row, defaults))
        return {
          agents: active.map((agent) => ({
            id: agent.agent_key,
            name: agent.display_name ?? agent.agent_key,
            model: agent.model,
            provider: agent.provider,
            agentType: agent.agent_type,
            status: agent.status,
            isRunning: running.has(agent.agent_key),
          })),
        }
      },
      "agents.create": async (params, { caller }) => {
        const row = await changes.create(caller, params)
        summoning.announce(caller, row)
        return { ok: true as const, agentId: row.agent_key, name: row.display_name || row.agent_key, workspace: row.workspace }
      },
      "agents.update": async ({ agentId, ...input }, { caller }) => ({ ok: true as const, agentId: (await changes.update(caller, agentId, input)).agent_key }),
      "agents.delete": async ({ agentId }, { caller }) => ({ ok: true as const, agentId: (await changes.remove(caller, agentId)).agent_key, removedBindings: 0 }),
      agent: async ({ agentId }, { caller }) => {
        const { key } = await meant(caller, agentId)
        return { id: key, isRunning: (await runningOf(caller)).has(key) }
      },
      "agent.identity.get": async ({ agentId, sessionKey }, { caller }) => {
        const { key, displayName, emoji, description } = await meant(caller, agentId, sessionKey)
        return { agentId: key, name: displayName, ...(emoji !== "" && { emoji }), ...(description !== "" && { description }) }
      },
    },
    start: () =>
      host.eachTenant(async (caller) => {
        await access.service.fallback(caller)
      }),
    stop: async () => summoning.stop(),
  }
})
