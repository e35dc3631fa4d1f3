import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const xai = openAiCompatibleType(host.use(OpenAiCompatible), {
    defaultBaseUrl: "https://api.x.ai/v1",
    defaultModel: "grok-3-mini",
    keyless: false,
    embeds: false,
    environment: ["XAI_API_KEY", "GOCLAW_XAI_API_KEY"],
  })
  host.contribute(ProviderTypes, "xai", xai)
  return {}
})
