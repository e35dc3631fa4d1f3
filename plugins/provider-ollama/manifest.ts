import { defineManifest, OpenAiCompatible, ProviderTypes } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-ollama",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Models on a machine of one's own, through Ollama.",
  requires: [OpenAiCompatible],
  contributes: [ProviderTypes],
})
