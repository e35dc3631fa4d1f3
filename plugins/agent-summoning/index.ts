import { AgentParts, definePlugin, Summoning } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { createSummoning } from "./summoning.ts"

export default definePlugin(manifest, (host) => {
  const { service, again, cancel, forget, sweep, stop } = createSummoning(host)
  host.offer(Summoning, service)
  host.contribute(AgentParts, manifest.id, { remove: (caller, { id }) => forget(caller, id) })
  const begun = { ok: "true", status: "summoning" } as const
  return {
    routes: {
      regenerate: async ({ params, body, caller }) => {
        await again(caller, params.id, body.prompt?.trim() ?? "")
        return begun
      },
      resummon: async ({ params, caller }) => {
        await again(caller, params.id, "")
        return begun
      },
      cancel: async ({ params, caller }) => {
        await cancel(caller, params.id)
        return { ok: "true", status: "summon_failed" } as const
      },
    },
    jobs: { sweep: (_, { caller }) => sweep(caller) },
    start: () => host.eachTenant(sweep),
    stop: async () => stop(),
  }
})
