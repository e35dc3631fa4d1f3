import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const ollama = openAiCompatibleType(host.use(OpenAiCompatible), {
    defaultBaseUrl: "http://localhost:11434/v1",
    defaultModel: "llama3.3",
    keyless: true,
    environment: [],
    dialect: { basePath: "/v1", inlineImages: true, thinkingOff: "effort" },
  })
  host.contribute(ProviderTypes, "ollama", ollama)
  return {}
})
