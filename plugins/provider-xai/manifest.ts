import { defineManifest, OpenAiCompatible, ProviderTypes } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-xai",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "xAI's models.",
  requires: [OpenAiCompatible],
  contributes: [ProviderTypes],
})
