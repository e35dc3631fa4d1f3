import { defineManifest, ProviderLimits, ProviderTypes, providerErrorsWithReason } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-gemini",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Google's Gemini models, over their own API.",
  contributes: [ProviderTypes],
  capabilities: { net: ["*"] },
  config: ProviderLimits,
  errors: providerErrorsWithReason,
})
