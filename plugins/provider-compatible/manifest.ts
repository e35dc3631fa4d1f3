import { defineManifest, OpenAiCompatible, ProviderTypes } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-compatible",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Further providers that speak OpenAI's format and differ in address and model.",
  requires: [OpenAiCompatible],
  contributes: [ProviderTypes],
})
