import { definePlugin, OpenAiCompatible, openAiCompatibleType, ProviderTypes } from "@plugboard/sdk"
import { kin } from "./kin.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const openai = host.use(OpenAiCompatible)
  for (const [type, { base, model, key, ...more }] of Object.entries(kin)) {
    const own = { defaultBaseUrl: base, defaultModel: model, keyless: false, environment: [`${key}_API_KEY`, `GOCLAW_${key}_API_KEY`], ...more }
    host.contribute(ProviderTypes, type, openAiCompatibleType(openai, own))
  }
  return {}
})
