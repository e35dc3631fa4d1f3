import { type Static, Type } from "typebox"
import type { HttpRequest } from "../host.ts"
import { type ProviderConnection, type ProviderErrorName, providerErrors } from "../points/provider.ts"

/** Settings of a plugin whose types call providers over HTTP. */
export const ProviderLimits = Type.Object(
  {
    firstByteMs: Type.Integer({
      default: 180_000,
      minimum: 100,
      maximum: 600_000,
      description: "How long a provider may take until its first byte, which without streaming comes with the whole answer.",
    }),
    idleMs: Type.Integer({ default: 90_000, minimum: 100, maximum: 600_000, description: "How long a provider may fall silent in an answer." }),
    maxEventBytes: Type.Integer({ default: 1_048_576, minimum: 1_024, description: "Largest event of a stream." }),
    maxAnswerBytes: Type.Integer({ default: 33_554_432, minimum: 1_024, description: "Largest answer that is not a stream." }),
  },
  { additionalProperties: false },
)

/** A provider's own limits, `settings.routing.first_byte_ms` and `idle_ms`, before those of its type's plugin. */
export function timeLimits(
  { firstByteMs, idleMs }: Static<typeof ProviderLimits>,
  { settings }: Pick<ProviderConnection, "settings">,
): Pick<HttpRequest, "headersTimeoutMs" | "idleTimeoutMs"> {
  const { first_byte_ms: firstByte, idle_ms: idle } = (settings.routing ?? {}) as Record<string, unknown>
  return { headersTimeoutMs: within(firstByte) ?? firstByteMs, idleTimeoutMs: within(idle) ?? idleMs }
}

function within(value: unknown): number | undefined {
  return typeof value === "number" && value >= 100 && value <= 600_000 ? value : undefined
}

const Reason = Type.Object({ provider: Type.String(), reason: Type.String() })
type WithReason = { [N in ProviderErrorName]: { kind: (typeof providerErrors)[N]["kind"]; params: typeof Reason } }

/** `providerErrors` for a manifest, each with the provider's name and its own words. */
export const providerErrorsWithReason = Object.fromEntries(Object.entries(providerErrors).map(([name, { kind }]) => [name, { kind, params: Reason }])) as WithReason
