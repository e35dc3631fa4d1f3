import { AgentFiles, AgentRecords, AgentStates, Agents, type Caller, definePlugin, Providers, pageOf, Runs, seesAll } from "@plugboard/sdk"
import { createAccess } from "./access.ts"
import { createChanges } from "./change.ts"
import { manifest } from "./manifest.ts"
import { previewPrompt } from "./preview.ts"
import { createRecords } from "./records.ts"
import { createShares } from "./shares.ts"
import { listAgents } from "./store.ts"
import { createSummoning } from "./summoning.ts"
import { shownAgent } from "./wire.ts"

export default definePlugin(manifest, (host) => {
  const access = createAccess(host)
  const changes = createChanges(host, access)
  const shares = createShares(host, access)
  const summoning = createSummoning(host)
  const providers = host.use(Providers)
  host.offer(Agents, access.service)
  host.offer(AgentStates, summoning.states)
  host.offer(AgentRecords, createRecords(host, access, changes))
  const defaultsOf = async (caller: Caller) => (await providers.fallback(caller)) ?? { provider: "", model: "" }
  const runningOf = async (caller: Caller) => new Set(host.has(Runs) ? await host.use(Runs).running(caller) : [])
  const done = { ok: "true" } as const
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
        const row = await changes.create(caller, body, { number: true })
        await summoning.begin(caller, row)
        return shownAgent(row, await defaultsOf(caller))
      },
      get: async ({ params, caller }) => shownAgent(await access.demand(caller, params.id), await defaultsOf(caller)),
      update: async ({ params, body, caller }) => ({ ok: "true" as const, agent: shownAgent(await changes.update(caller, params.id, body), await defaultsOf(caller)) }),
      remove: async ({ params, caller }) => {
        await changes.remove(caller, params.id)
        return done
      },
      shares: async ({ params, query, caller }) => {
        const { limit, offset } = pageOf(query, 1_000)
        return { shares: await shares.list(caller, params.id, limit, offset) }
      },
      share: async ({ params, body, caller }) => {
        await shares.add(caller, params.id, body.user_id, body.role ?? "user")
        return done
      },
      unshare: async ({ params, caller }) => {
        await shares.remove(caller, params.id, params.userID)
        return done
      },
      preview: async ({ params, caller, signal }) => previewPrompt(host, caller, await shares.owned(caller, params.id), signal),
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
        const row = await changes.create(caller, params, { number: false })
        await summoning.begin(caller, row)
        return { ok: true as const, agentId: row.agent_key, name: row.display_name || row.agent_key, workspace: row.workspace }
      },
      "agents.update": async ({ agentId, ...input }, { caller }) => ({ ok: true as const, agentId: (await changes.update(caller, agentId, input)).agent_key }),
      "agents.delete": async ({ agentId }, { caller }) => ({ ok: true as const, agentId: (await changes.remove(caller, agentId)).agent_key, removedBindings: 0 }),
      agent: async ({ agentId }, { caller }) => {
        const { agent_key } = await access.meant(caller, agentId)
        return { id: agent_key, isRunning: (await runningOf(caller)).has(agent_key) }
      },
      "agent.identity.get": async ({ agentId, sessionKey }, { caller }) => {
        const { id, agent_key, display_name, emoji, avatar, description } = await access.meant(caller, agentId, sessionKey)
        return {
          agentId: agent_key,
          name: display_name || agent_key,
          ...(emoji !== "" && { emoji }),
          ...(avatar !== "" && { avatar }),
          ...(description !== "" && { description }),
          ...(host.has(AgentFiles) && (await host.use(AgentFiles).identity(caller, id))),
        }
      },
    },
    start: () =>
      host.eachTenant(async (caller) => {
        await access.service.fallback(caller)
      }),
    stop: async () => summoning.stop(),
  }
})
