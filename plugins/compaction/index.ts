import { Compaction, definePlugin } from "@plugboard/sdk"
import { createByHand } from "./by-hand.ts"
import { createFit } from "./fit.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const compact = createByHand(host)
  host.offer(Compaction, createFit(host))
  return {
    routes: { compact: ({ params, body, caller, signal }) => compact(caller, params.key, body.keep_last, signal) },
    rpc: { "sessions.compact": ({ key, keepLast }, { caller, closed }) => compact(caller, key, keepLast, closed) },
  }
})
