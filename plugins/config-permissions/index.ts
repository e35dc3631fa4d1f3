import { randomUUIDv7 } from "node:crypto"
import { AgentParts, type AgentProfile, AgentSections, Agents, type Caller, ConfigPermissions, type ConfigType, definePlugin } from "@plugboard/sdk"
import { decide } from "./decide.ts"
import { manifest } from "./manifest.ts"
import { createSection } from "./section.ts"
import { countPermissions, deleteOfAgent, deletePermission, holdPermissions, listPermissions, most, type PermissionRow, putPermission, type Rule } from "./store.ts"

interface OfUser {
  agentId?: string
  scope?: string
  configType: ConfigType
  userId: string
}

export default definePlugin(manifest, (host) => {
  const agents = host.use(Agents)
  const rules = host.cache<readonly PermissionRow[]>({
    max: 10_000,
    ttlMs: 300_000,
    changedBy: ["config-permissions.changed"],
    load: (caller, agentId) => listPermissions(host.db.for(caller), agentId, null),
  })
  const ok = { ok: true } as const

  async function demandAgent(caller: Caller, ref: string | undefined): Promise<AgentProfile> {
    const agent = ref ? await agents.resolve(caller, ref) : await agents.fallback(caller)
    if (!agent) throw host.fail("unknown_agent", { agent: (ref ?? "").slice(0, 100) })
    return agent
  }
  const ruleOf = (agent: AgentProfile, { scope = "*", configType, userId }: OfUser): Rule => ({ agent_id: agent.id, scope, config_type: configType, user_id: userId })
  const entry = (action: string, agent: AgentProfile, { scope, config_type, user_id }: Rule, more: object = {}) =>
    ({ action, entityType: "config_permission", entityId: agent.key, details: { scope, config_type, user_id, ...more } }) as const

  host.offer(ConfigPermissions, {
    async check(caller, { agent, scope, type, userId }) {
      const { id } = await demandAgent(caller, agent)
      return decide(await rules.get(caller, id), { scope, type, userId })
    },
  })
  host.contribute(AgentSections, "config_permissions", createSection(host))
  host.contribute(AgentParts, manifest.id, {
    async remove(caller, { id }) {
      await host.db.for(caller).transaction(async (tx) => {
        await deleteOfAgent(tx, id)
        tx.publish("config-permissions.changed", {})
      })
    },
  })

  return {
    rpc: {
      "config.permissions.list": async ({ agentId, configType }, { caller, cliProfile }) => {
        const agent = agentId ? await demandAgent(caller, agentId) : null
        const rows = await listPermissions(host.db.for(caller), agent?.id ?? null, configType ?? null)
        const keys = new Map((agent ? [agent] : await agents.list(caller)).map(({ id, key }) => [id, key]))
        const permissions = rows.map((row) => shown(row, keys.get(row.agent_id) ?? row.agent_id))
        return cliProfile ? permissions : { permissions }
      },
      "config.permissions.check": async ({ agentId, scope, configType, userId }, { caller }) => {
        const agent = await demandAgent(caller, agentId)
        const decision = decide(await rules.get(caller, agent.id), { scope, type: configType, userId })
        return { decision: { ...decision, agentId: agent.key, scope, configType, userId } }
      },
      "config.permissions.grant": async ({ permission = "allow", grantedBy, metadata, ...given }, { caller }) => {
        const agent = await demandAgent(caller, given.agentId)
        const rule = ruleOf(agent, given)
        await host.db.for(caller).transaction(async (tx) => {
          await holdPermissions(tx, caller.tenantId)
          await putPermission(tx, randomUUIDv7(), { ...rule, permission, granted_by: grantedBy || caller.userId, metadata: metadata ?? null })
          if ((await countPermissions(tx)) > most) throw host.fail("too_many", { most })
          tx.audit(entry("config_permission.granted", agent, rule, { permission }))
          tx.publish("config-permissions.changed", {})
        })
        return ok
      },
      "config.permissions.revoke": async (given, { caller }) => {
        const agent = await demandAgent(caller, given.agentId)
        const rule = ruleOf(agent, given)
        await host.db.for(caller).transaction(async (tx) => {
          if (!(await deletePermission(tx, rule))) return
          tx.audit(entry("config_permission.revoked", agent, rule))
          tx.publish("config-permissions.changed", {})
        })
        return ok
      },
    },
  }
})

function shown({ id, scope, config_type, user_id, permission, granted_by, metadata, created_at, updated_at }: PermissionRow, agentId: string) {
  return {
    id,
    agentId,
    scope,
    configType: config_type,
    userId: user_id,
    permission,
    ...(granted_by !== "" && { grantedBy: granted_by }),
    ...(metadata && { metadata }),
    createdAt: created_at,
    updatedAt: updated_at,
  }
}
