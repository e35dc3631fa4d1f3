import { type AgentProfile, Agents, definePlugin, Gateway, Providers, Runs, reply, Sessions, Tenants, Tools } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const gateway = host.use(Gateway)
  const tools = host.open(Tools)
  return {
    routes: {
      health: async () => {
        const { uptimeMs, version, database, loopDelayMs } = await gateway.health()
        const well = database === "ok"
        const body = {
          status: well ? ("ok" as const) : ("degraded" as const),
          uptime_ms: uptimeMs,
          mode: "managed" as const,
          database,
          protocol: 3 as const,
          version,
          loop_delay_ms: loopDelayMs,
        }
        return well ? body : reply.json(body, { status: 503, headers: { "retry-after": "1" } })
      },
      edition: async () => ({ name: "standard" as const }),
    },
    rpc: {
      health: async (_, { caller, connectionId }) => {
        const [{ uptimeMs, version, database }, clients] = await Promise.all([gateway.health(), gateway.connections(caller)])
        return {
          status: "ok" as const,
          version,
          uptime: uptimeMs,
          mode: "managed" as const,
          database,
          tools: tools.entries(caller).length,
          clients: clients.map(({ id, remoteAddr, userId, role, connectedAt }) => ({ id, remoteAddr, userId, role, connectedAt })),
          currentId: connectionId,
        }
      },
      status: async (_, { caller }) => {
        const nobody: string[] = []
        const [agents, defaults, running, clients, sessions] = await Promise.all([
          host.has(Agents) ? host.use(Agents).list(caller) : [],
          host.has(Providers) ? host.use(Providers).fallback(caller) : null,
          host.has(Runs) ? host.use(Runs).running(caller) : nobody,
          gateway.connections(caller),
          host.has(Sessions) ? host.use(Sessions).count(caller) : 0,
        ])
        const active = agents.filter((agent) => agent.status === "active")
        // The default model belongs to the default provider.
        const modelOf = ({ provider, model }: AgentProfile) => model || (defaults && (provider === "" || provider === defaults.provider) ? defaults.model : "")
        return {
          agents: active.map((agent) => ({ id: agent.key, model: modelOf(agent), isRunning: running.includes(agent.key) })),
          agentTotal: agents.length,
          clients: clients.length,
          sessions,
        }
      },
      "tenants.mine": async (_, { caller }) => {
        const rows = await host.use(Tenants).mine(caller)
        return { tenants: rows.map(({ id, name, slug, role, status }) => ({ id, name, slug, role, status })) }
      },
    },
  }
})
