import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const deepseek = openAiCompatibleType(host.use(OpenAiCompatible), {
    defaultBaseUrl: "https://api.deepseek.com/v1",
    defaultModel: "deepseek-chat",
    keyless: false,
    embeds: false,
    environment: ["DEEPSEEK_API_KEY", "GOCLAW_DEEPSEEK_API_KEY"],
    dialect: { takesThinkingBack: true, thinkingOff: "thinking" },
  })
  host.contribute(ProviderTypes, "deepseek", deepseek)
  return {}
})
