import { setImmediate as breath, setTimeout as sleep } from "node:timers/promises"
import { type Delta, definePlugin, type ProviderType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { scriptFor, usageOf } from "./script.ts"

export default definePlugin(manifest, (host) => {
  const loopback: ProviderType = {
    defaultBaseUrl: "",
    defaultModel: "loopback-1",
    keyless: true,
    environment: [],
    async *chat(_, request, signal) {
      const { pieces, pauseMs, finish, fails } = scriptFor(request)
      const said: Delta[] = []
      signal.throwIfAborted()
      for (const [at, piece] of pieces.entries()) {
        if (pauseMs > 0) await sleep(pauseMs, undefined, { signal })
        // Without it a long answer holds the event loop, and no abort gets through.
        else if (at % 64 === 63) await breath(undefined, { signal })
        said.push(piece)
        yield [piece]
      }
      if (fails) throw host.fail(fails, {})
      yield [
        { type: "usage", usage: usageOf(request, said) },
        { type: "finish", reason: finish },
      ]
    },
    models: async () => [{ id: "loopback-1", name: "Loopback (offline, scripted)" }],
    verify: async () => undefined,
  }
  host.contribute(ProviderTypes, "loopback", loopback)
  return {}
})
