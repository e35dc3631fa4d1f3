import { defineManifest, OpenAiCompatible, ProviderLimits, ProviderTypes, providerErrorsWithReason } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-openai",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Providers that speak OpenAI's chat completions.",
  offers: [OpenAiCompatible],
  contributes: [ProviderTypes],
  capabilities: { net: ["*"] },
  config: ProviderLimits,
  errors: providerErrorsWithReason,
})
