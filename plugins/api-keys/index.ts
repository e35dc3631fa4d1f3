import { definePlugin, Keys, pageOf } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

/** Rows of one list, on HTTP and on the socket alike. Source: wire contract, http-core 1.5. */
const most = 1_000

export default definePlugin(manifest, (host) => {
  const keys = host.use(Keys)
  const revoked = { status: "revoked" } as const
  return {
    routes: {
      list: ({ query, caller }) => {
        const { limit, offset } = pageOf(query, most)
        return keys.list(caller, limit, offset)
      },
      create: ({ body, caller }) => keys.create(caller, body),
      remove: async ({ params, caller }) => {
        await keys.revoke(caller, params.id)
        return revoked
      },
      revoke: async ({ params, caller }) => {
        await keys.revoke(caller, params.id)
        return revoked
      },
    },
    rpc: {
      "api_keys.list": (_, { caller }) => keys.list(caller, most, 0),
      "api_keys.create": (params, { caller }) => keys.create(caller, params),
      "api_keys.revoke": async ({ id }, { caller }) => {
        await keys.revoke(caller, id)
        return revoked
      },
    },
  }
})
