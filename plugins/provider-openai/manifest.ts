import { defineManifest, type ProviderErrorName, ProviderTypes, providerErrors } from "@plugboard/sdk"
import { Type } from "typebox"

const reason = Type.Object({ provider: Type.String(), reason: Type.String() })

export const Config = Type.Object(
  {
    firstByteMs: Type.Integer({ default: 60_000, minimum: 100, maximum: 600_000, description: "How long a provider may take until its first byte." }),
    idleMs: Type.Integer({ default: 30_000, minimum: 100, maximum: 600_000, description: "How long a provider may fall silent in an answer." }),
    maxEventBytes: Type.Integer({ default: 1_048_576, minimum: 1_024, description: "Largest event of a stream." }),
    maxAnswerBytes: Type.Integer({ default: 33_554_432, minimum: 1_024, description: "Largest answer that is not a stream." }),
  },
  { additionalProperties: false },
)

export const manifest = defineManifest({
  id: "provider-openai",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Providers that speak OpenAI's chat completions.",
  contributes: [ProviderTypes],
  capabilities: { net: ["*"] },
  config: Config,
  errors: withReason(),
})

/** The failures of the SDK, each with the provider's name and its own words. */
function withReason() {
  const declared: Partial<Record<ProviderErrorName, object>> = {}
  for (const name of Object.keys(providerErrors) as ProviderErrorName[]) declared[name] = { ...providerErrors[name], params: reason }
  return declared as { [N in ProviderErrorName]: { kind: (typeof providerErrors)[N]["kind"]; params: typeof reason } }
}
