import { type FailOptions, failureOf, type Host, type ProviderErrorName } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { WireError } from "./wire.ts"

type OpenAi = Host<typeof manifest>

/** Turns statuses and errors into the failures of the SDK, with the provider's own words and never with the key. */
export function createFailures(host: OpenAi) {
  const make = (name: ProviderErrorName, provider: string, reason: string, options: FailOptions = {}) => host.fail(name, { provider, reason }, options)

  /** For what the network did. An abort stays an abort. */
  function ofNetwork(provider: string, error: unknown) {
    const failure = failureOf(error)
    if (!failure?.name.startsWith("kernel.egress_")) return error
    if (failure.name === "kernel.egress_timeout") return make("provider_timeout", provider, `silent for ${failure.params.ms} ms`, { cause: error })
    return make("provider_network", provider, String(failure.params.reason), { cause: error })
  }

  return {
    make,
    /** For an answer that is not a success. */
    ofStatus(provider: string, apiKey: string, status: number, headers: Readonly<Record<string, string>>, body: string) {
      const error = errorIn(body)
      const reason = withoutKey(error.message ?? `status ${status}`, apiKey).slice(0, 1_000)
      return make(nameOf(status, error), provider, reason, { retryAfterMs: retryAfterMs(headers) })
    },
    /** For an error object in mid-stream. */
    ofEvent(provider: string, apiKey: string, error: WireError | string) {
      const known = typeof error === "string" ? { message: error } : error
      return make(nameOf(Number(known.code) || 500, known), provider, withoutKey(known.message ?? "an error in the stream", apiKey).slice(0, 1_000))
    },
    ofNetwork,
    withoutKey,
    /** The same, once something has come: whatever ended the connection, what came is not the whole. */
    inMidAnswer(provider: string, error: unknown) {
      const failure = failureOf(error)
      if (failure?.name !== "kernel.egress_failed") return ofNetwork(provider, error)
      return make("provider_broken_stream", provider, `the connection ended in mid-answer (${failure.params.reason})`, { cause: error })
    },
  }
}
export type Failures = ReturnType<typeof createFailures>

function nameOf(status: number, error: WireError): ProviderErrorName {
  const code = `${error.code ?? ""} ${error.type ?? ""}`
  if (/context_length|max.*tokens.*exceed/i.test(code) || /maximum context length/i.test(error.message ?? "")) return "provider_context_length"
  if (/content_filter|content_policy/i.test(code)) return "provider_content_filter"
  if (status === 401 || status === 403) return "provider_auth"
  if (status === 404) return "provider_not_found"
  if (status === 429) return "provider_rate_limited"
  if (status === 408 || status === 504) return "provider_timeout"
  return status >= 500 ? "provider_overloaded" : "provider_bad_request"
}

function errorIn(body: string): WireError {
  try {
    const { error } = JSON.parse(body) as { error?: WireError | string }
    return typeof error === "string" ? { message: error } : (error ?? {})
  } catch {
    // A proxy in between answers in HTML or plain text.
    return {
      message:
        body
          .replace(/<[^>]*>/g, " ")
          .replace(/\s+/g, " ")
          .trim()
          .slice(0, 200) || undefined,
    }
  }
}

/** Some providers repeat the key, or its ends, in their complaint about it. */
function withoutKey(text: string, apiKey: string): string {
  const masked = apiKey.length >= 4 ? text.replaceAll(apiKey, "***") : text
  return masked.replace(/\b(sk|gsk|xai)-[\w*-]{6,}/g, "***")
}

/** `retry-after-ms`, or `retry-after` as seconds or a date. Source: RFC 9110, section 10.2.3. */
function retryAfterMs(headers: Readonly<Record<string, string>>): number | undefined {
  const ms = Number(headers["retry-after-ms"])
  if (ms > 0) return ms
  const after = headers["retry-after"]
  if (after === undefined) return undefined
  const seconds = Number(after)
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(after) - Date.now()
  return wait > 0 ? wait : undefined
}
