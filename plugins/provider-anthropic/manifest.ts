import { defineManifest, ProviderLimits, ProviderTypes, providerErrorsWithReason } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-anthropic",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Anthropic's models, over its Messages API.",
  contributes: [ProviderTypes],
  capabilities: { net: ["*"] },
  config: ProviderLimits,
  errors: providerErrorsWithReason,
})
