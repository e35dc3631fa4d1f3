import { definePlugin, pageOf, Tools } from "@plugboard/sdk"
import { clipTool } from "./clip.ts"
import { findClipping, listClippings, removeOlder } from "./clippings.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const clip = clipTool(host)
  host.contribute(Tools, clip.name, clip)
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, 200, 50)
        return { clippings: await listClippings(host.db.for(caller), caller, limit, offset) }
      },
      get: async ({ params, caller }) => {
        const found = await findClipping(host.db.for(caller), caller, params.id)
        if (!found) throw host.fail("unknown_clipping", { id: params.id })
        return found
      },
    },
    rpc: {
      "clippings.list": async (params, { caller }) => {
        const { limit, offset } = pageOf(params, 200, 50)
        return { clippings: await listClippings(host.db.for(caller), caller, limit, offset) }
      },
      "clippings.expire": async (_, { caller }) => {
        await host.jobs.enqueue(caller, "expire", {})
        return {}
      },
    },
    jobs: {
      async expire(_, { caller, signal }) {
        const db = host.db.for(caller)
        for (let removed = 1_000; removed === 1_000 && !signal.aborted; ) {
          removed = await removeOlder(db, host.config.keepDays)
          if (removed > 0) host.log.info({ removed }, "clippings expired")
        }
      },
    },
  }
})
