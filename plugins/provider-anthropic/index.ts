import { definePlugin, ProviderTypes } from "@plugboard/sdk"
import { anthropicType } from "./anthropic-type.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  host.contribute(ProviderTypes, "anthropic_native", anthropicType(host))
  return {}
})
