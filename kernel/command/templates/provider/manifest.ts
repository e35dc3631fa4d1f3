import { defineManifest, ProviderTypes, providerErrors } from "@plugboard/sdk"
import { Type } from "typebox"

const params = Type.Object({ provider: Type.String(), reason: Type.String() })

export const manifest = defineManifest({
  id: "scaffold",
  version: "0.1.0",
  sdk: "^1.0.0",
  summary: "A provider of language models.",
  contributes: [ProviderTypes],
  // The hosts that it may call, and no others. Private ones also need the operator's word: network.allowPrivateHosts.
  capabilities: { net: ["api.example.com", "localhost", "127.0.0.1"] },
  config: Type.Object(
    { silentMs: Type.Integer({ default: 30_000, minimum: 100, maximum: 600_000, description: "How long the provider may say nothing." }) },
    { additionalProperties: false },
  ),
  errors: {
    provider_auth: { ...providerErrors.provider_auth, params },
    provider_rate_limited: { ...providerErrors.provider_rate_limited, params },
    provider_overloaded: { ...providerErrors.provider_overloaded, params },
    provider_bad_request: { ...providerErrors.provider_bad_request, params },
    provider_network: { ...providerErrors.provider_network, params },
    provider_timeout: { ...providerErrors.provider_timeout, params },
    provider_broken_stream: { ...providerErrors.provider_broken_stream, params },
  },
})
