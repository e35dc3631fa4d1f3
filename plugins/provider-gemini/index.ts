import { definePlugin, ProviderTypes } from "@plugboard/sdk"
import { geminiType } from "./gemini-type.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  host.contribute(ProviderTypes, "gemini_native", geminiType(host))
  return {}
})
