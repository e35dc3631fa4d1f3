import type { RouteLink } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

/** How calls are routed unless a provider's `settings.routing` says otherwise. */
export const RoutingConfig = Type.Object(
  {
    maxAttempts: Type.Integer({ default: 3, minimum: 1, maximum: 10, description: "Attempts of one call at one provider. Several keys get one attempt each at least." }),
    maxWaitMs: Type.Integer({ default: 2_000, minimum: 0, maximum: 600_000, description: "A longer wait, for a retry or for a free place, means the next provider, or the end." }),
    firstTokenMs: Type.Integer({ default: 90_000, minimum: 100, maximum: 3_600_000, description: "How long a stream may take until its first token." }),
    maxConcurrent: Type.Integer({ default: 1_000, minimum: 1, maximum: 100_000, description: "Calls of one provider at once, on this node." }),
    maxQueued: Type.Integer({ default: 1_000, minimum: 0, maximum: 100_000, description: "Calls that wait for a place at one provider." }),
    breakAfter: Type.Integer({ default: 5, minimum: 1, maximum: 1_000, description: "Calls that fail in a row until a model is left alone." }),
    breakMs: Type.Integer({ default: 30_000, minimum: 100, maximum: 3_600_000, description: "How long it is left alone; then one call tries it." }),
  },
  { additionalProperties: false },
)

export interface Routing extends Static<typeof RoutingConfig> {
  /** True: keys take turns. False: the first as long as it answers. */
  keysInTurn: boolean
  fallbacks: readonly RouteLink[]
  inTurn: boolean
}

const names = {
  maxAttempts: "max_attempts",
  maxWaitMs: "max_wait_ms",
  firstTokenMs: "first_token_ms",
  maxConcurrent: "max_concurrent",
  maxQueued: "max_queued",
  breakAfter: "break_after",
  breakMs: "break_ms",
} as const satisfies Record<keyof Static<typeof RoutingConfig>, string>
const mostFallbacks = 10

/** `settings.routing` over the configuration. What does not fit counts as absent: settings are kept as clients send them. */
export function routingOf(config: Static<typeof RoutingConfig>, settings: Readonly<Record<string, unknown>>): Routing {
  const own = objectIn(settings.routing)
  const numbers = Object.entries(names).flatMap(([name, wire]) => {
    const { minimum, maximum } = RoutingConfig.properties[name as keyof typeof names] as unknown as { minimum: number; maximum: number }
    const value = own[wire]
    return Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum ? [[name, value]] : []
  })
  return {
    ...config,
    ...Object.fromEntries(numbers),
    keysInTurn: own.keys !== "in_order",
    fallbacks: (Array.isArray(own.fallbacks) ? own.fallbacks : []).slice(0, mostFallbacks).flatMap(linkIn),
    inTurn: own.strategy === "round_robin",
  }
}

function linkIn(value: unknown): RouteLink[] {
  const { provider, model } = objectIn(value)
  if (typeof provider !== "string" || provider === "") return []
  return [{ provider, ...(typeof model === "string" && model !== "" && { model }) }]
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}
