import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const groq = openAiCompatibleType(host.use(OpenAiCompatible), {
    defaultBaseUrl: "https://api.groq.com/openai/v1",
    defaultModel: "llama-3.3-70b-versatile",
    keyless: false,
    embeds: false,
    environment: ["GROQ_API_KEY", "GOCLAW_GROQ_API_KEY"],
  })
  host.contribute(ProviderTypes, "groq", groq)
  return {}
})
