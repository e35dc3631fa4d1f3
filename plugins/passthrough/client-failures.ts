import { failureOf, type Host, type ProviderErrorName } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

type Own = "refused" | "context_length" | "content_filter" | "unknown_model" | "limited" | "overloaded"

/** A provider's failures as its client takes them: bad credentials are the gateway's, and stay what they are. */
const asOwn: Readonly<Partial<Record<ProviderErrorName, Own>>> = {
  provider_bad_request: "refused",
  provider_context_length: "context_length",
  provider_content_filter: "content_filter",
  provider_not_found: "unknown_model",
  provider_rate_limited: "limited",
  provider_overloaded: "overloaded",
}

export function clientFailure(host: Host<typeof manifest>, provider: string, error: unknown): unknown {
  const failure = failureOf(error)
  const own = failure && asOwn[failure.name.slice(failure.name.indexOf(".") + 1) as ProviderErrorName]
  if (!own) return error
  const reason = String(failure.params.reason ?? "it gives no reason")
  return host.fail(own, { provider, reason }, { retryAfterMs: failure.retryAfterMs, cause: error })
}

/** The client's status for one of a provider. A 401 would say that the client's own key is wrong. */
export function clientStatus(status: number): number {
  if (status === 401 || status === 403 || status === 407) return 502
  if (status === 408 || status === 504) return 504
  if (status === 503 || status === 529) return 503
  return status >= 400 && status < 500 ? status : 502
}
