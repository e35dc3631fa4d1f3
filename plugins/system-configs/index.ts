import { definePlugin, SystemConfigs } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { findValue, listValues } from "./store.ts"
import { createValues } from "./values.ts"

export default definePlugin(manifest, (host) => {
  const values = createValues(host)
  host.offer(SystemConfigs, values)
  return {
    routes: {
      list: async ({ caller, headers }) => {
        const rows = await listValues(host.db.for(caller))
        const all = Object.fromEntries(rows.map(({ key, value }) => [key, value]))
        return headers["x-goclaw-user-id"] === undefined ? { ...all, payload: rows } : all
      },
      get: async ({ params, caller }) => {
        const found = await findValue(host.db.for(caller), params.key)
        if (!found) throw host.fail("unset", { key: params.key })
        return { key: found.key, value: found.value }
      },
      put: async ({ params, body, caller }) => {
        const value = body.value ?? ""
        await values.set(caller, params.key, value)
        return { key: params.key, value }
      },
      remove: async ({ params, caller }) => {
        await values.set(caller, params.key, null)
        return { status: "deleted" as const }
      },
    },
  }
})
