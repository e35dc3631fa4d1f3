import { definePlugin, Encryption } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const encryption = host.use(Encryption)
  return {
    routes: {
      status: ({ caller }) => encryption.status(caller),
      rotation: async ({ caller }) => ({ rotation: await encryption.rotation(caller) }),
      rotate: ({ caller }) => encryption.rotate(caller),
      drop: ({ params, query, caller }) => encryption.drop(caller, params.id, query.force),
    },
  }
})
