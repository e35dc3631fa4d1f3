import { AgentParts, definePlugin, pageOf } from "@plugboard/sdk"
import { createDecisions } from "./decisions.ts"
import { createGate } from "./gate.ts"
import { manifest } from "./manifest.ts"
import { groupsOf } from "./policy.ts"
import { pruneRequests } from "./requests.ts"
import { deleteRulesOfAgent } from "./rules.ts"
import { cliRequest, wireRequest, wireRule } from "./wire.ts"

export default definePlugin(manifest, (host) => {
  const decisions = createDecisions(host)
  const page = ({ limit, offset }: { limit?: number; offset?: number }) => pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 500)
  host.contribute(AgentParts, manifest.id, { remove: (caller, agent) => deleteRulesOfAgent(host.db.for(caller), agent.id) })
  return {
    hooks: { "tool.calling": createGate(host) },
    routes: { groups: async () => ({ groups: groupsOf(host.config) }) },
    rpc: {
      "exec.approval.list": async (asked, { caller, cliProfile }) => {
        const { limit, offset } = page(asked)
        const rows = await decisions.list(caller, limit, offset)
        return cliProfile ? rows.map(cliRequest) : { pending: rows.map(wireRequest) }
      },
      "exec.approval.approve": ({ id, always, sameArguments }, { caller }) => decisions.approve(caller, id, always ?? false, sameArguments),
      "exec.approval.deny": ({ id, reason }, { caller }) => decisions.deny(caller, id, reason ?? ""),
      "exec.approval.rules.list": async (asked, { caller }) => {
        const { limit, offset } = page(asked)
        const { rows, total } = await decisions.rules(caller, limit, offset)
        return { rules: rows.map(wireRule), total }
      },
      "exec.approval.rules.revoke": ({ id }, { caller }) => decisions.revoke(caller, id),
    },
    jobs: { prune: async (_, { caller }) => pruneRequests(host.db.for(caller), host.config.keepDays) },
  }
})
