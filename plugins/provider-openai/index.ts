import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { openAiCompatible } from "./compatible.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const compatible = openAiCompatible(host)
  host.offer(OpenAiCompatible, compatible)
  const openai = openAiCompatibleType(compatible, {
    defaultBaseUrl: "https://api.openai.com/v1",
    defaultModel: "gpt-4o",
    keyless: false,
    environment: ["OPENAI_API_KEY", "GOCLAW_OPENAI_API_KEY"],
  })
  host.contribute(ProviderTypes, "openai_compat", openai)
  return {}
})
