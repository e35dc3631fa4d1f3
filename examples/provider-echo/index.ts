import { definePlugin, ProviderTypes } from "@plugboard/sdk"
import { echoType } from "./echo-type.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  host.contribute(ProviderTypes, "echo", echoType(host))
  return {}
})
