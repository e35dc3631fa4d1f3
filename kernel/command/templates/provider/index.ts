import { definePlugin, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { providerType } from "./provider-type.ts"

export default definePlugin(manifest, (host) => {
  host.contribute(ProviderTypes, "scaffold", providerType(host))
  return {}
})
