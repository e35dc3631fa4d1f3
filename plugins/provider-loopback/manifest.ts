import { defineManifest, ProviderTypes } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "provider-loopback",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "A scripted provider that asks no model and no network: for first runs, examples and tests.",
  contributes: [ProviderTypes],
  errors: {
    provider_auth: { kind: "UPSTREAM_FAILED" },
    provider_rate_limited: { kind: "UPSTREAM_FAILED" },
    provider_overloaded: { kind: "UPSTREAM_FAILED" },
    provider_network: { kind: "UPSTREAM_FAILED" },
    provider_context_length: { kind: "INVALID_REQUEST" },
  },
})
