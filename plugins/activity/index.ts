import { Audit, definePlugin, pageOf } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const audit = host.use(Audit)
  return {
    routes: {
      list: async ({ query, caller }) => {
        const page = pageOf(query, 200, 50)
        const { actor_type, actor_id, action, entity_type, entity_id } = query
        // An empty filter, as forms send it, is none.
        const filter = Object.fromEntries(Object.entries({ actor_type, actor_id, action, entity_type, entity_id }).filter(([, value]) => value))
        const { entries, total } = await audit.list(caller, filter, page.limit, page.offset)
        return { logs: entries, total, ...page }
      },
    },
  }
})
