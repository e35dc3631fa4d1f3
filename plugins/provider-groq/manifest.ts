import { defineManifest, OpenAiCompatible, ProviderTypes } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-groq",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Groq's models.",
  requires: [OpenAiCompatible],
  contributes: [ProviderTypes],
})
