import { defineManifest, type ProviderErrorName, ProviderTypes, providerErrors } from "@plugboard/sdk"
import { Type } from "typebox"

/** The failures that a call can end with: kinds of the SDK, the provider's name and its own words as facts. */
const names = [
  "provider_auth",
  "provider_rate_limited",
  "provider_overloaded",
  "provider_not_found",
  "provider_bad_request",
  "provider_network",
  "provider_timeout",
  "provider_broken_stream",
] as const satisfies ProviderErrorName[]
const params = Type.Object({ provider: Type.String(), reason: Type.String() })
type Declared = { [N in (typeof names)[number]]: { kind: (typeof providerErrors)[N]["kind"]; params: typeof params } }

export const manifest = defineManifest({
  id: "provider-echo",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Providers that speak the line protocol of an echo server.",
  contributes: [ProviderTypes],
  // Servers on this machine, and those of one domain. An operator must let private addresses be reached, too: network.allowPrivateHosts.
  capabilities: { net: ["localhost", "127.0.0.1", "*.echo.example"] },
  config: Type.Object(
    { silentMs: Type.Integer({ default: 30_000, minimum: 100, maximum: 600_000, description: "How long a server may say nothing." }) },
    { additionalProperties: false },
  ),
  errors: Object.fromEntries(names.map((name) => [name, { kind: providerErrors[name].kind, params }])) as Declared,
})
