import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const mistral = openAiCompatibleType(host.use(OpenAiCompatible), {
    defaultBaseUrl: "https://api.mistral.ai/v1",
    defaultModel: "mistral-large-latest",
    keyless: false,
    environment: ["MISTRAL_API_KEY", "GOCLAW_MISTRAL_API_KEY"],
    dialect: { tellsUsageUnasked: true, callIdLength: 9 },
  })
  host.contribute(ProviderTypes, "mistral", mistral)
  return {}
})
