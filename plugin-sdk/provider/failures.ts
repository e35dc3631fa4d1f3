import type { Static } from "typebox"
import { type Failure, failureOf } from "../errors.ts"
import type { FailOptions, Http } from "../host.ts"
import type { ProviderErrorName } from "../points/provider.ts"
import type { ProviderLimits } from "./limits.ts"

/** A host whose manifest has `ProviderLimits` as its config and `providerErrorsWithReason` among its errors. */
export interface ProviderHost {
  readonly http: Http
  readonly config: Static<typeof ProviderLimits>
  fail(name: ProviderErrorName, params: { provider: string; reason: string }, options?: FailOptions): Failure
}

/** What a provider complains of. */
export interface Complaint {
  /** 0 or left out: none was sent. */
  status?: number
  /** Its own codes and types, in any form; for `nameOf`. */
  code?: string
  message?: string
  retryAfterMs?: number
}

export interface ComplaintReader {
  /** The complaint in the parsed body of a failed call, or in an event; undefined when there is none. */
  complaintIn(value: unknown): Complaint | undefined
  /** What the format's own codes mean; undefined: as the status says. */
  nameOf(complaint: Complaint): ProviderErrorName | undefined
}

type Provider = { name: string; apiKey: string }
export type ProviderFailures = ReturnType<typeof providerFailures>

/** Turns statuses, complaints and broken connections into the failures of the SDK, with the provider's own words and never with the key. */
export function providerFailures(host: ProviderHost, { complaintIn, nameOf }: ComplaintReader) {
  const make = (name: ProviderErrorName, provider: string, reason: string, options: FailOptions = {}) => host.fail(name, { provider, reason }, options)

  function ofComplaint({ name, apiKey }: Provider, complaint: Complaint, options: FailOptions = {}): Failure {
    const reason = withoutKey(complaint.message || (complaint.status ? `status ${complaint.status}` : "it says no reason"), apiKey).slice(0, 1_000)
    return make(nameOf(complaint) ?? nameOfStatus(complaint.status || 500), name, reason, { retryAfterMs: complaint.retryAfterMs, ...options })
  }

  /** For what the network did. An abort stays an abort. */
  function ofNetwork({ name }: Provider, error: unknown): unknown {
    const failure = failureOf(error)
    if (!failure?.name.startsWith("kernel.egress_")) return error
    if (failure.name === "kernel.egress_timeout") return make("provider_timeout", name, `silent for ${failure.params.ms} ms`, { cause: error })
    return make("provider_network", name, String(failure.params.reason), { cause: error })
  }

  /** For an answer that is not a success. */
  function ofStatus(provider: Provider, status: number, headers: Readonly<Record<string, string>>, body: string): Failure {
    const parsed = parseObject(body)
    const complaint = (parsed && complaintIn(parsed)) ?? { message: parsed ? undefined : plain(body) }
    return ofComplaint(provider, { ...complaint, status, retryAfterMs: retryAfterMs(headers) ?? complaint.retryAfterMs })
  }

  return {
    make,
    ofComplaint,
    ofStatus,
    ofNetwork,
    /** As `ofNetwork`, once something has come: whatever ended the connection, what came is not the whole. */
    inMidAnswer(provider: Provider, error: unknown): unknown {
      const failure = failureOf(error)
      if (failure?.name !== "kernel.egress_failed") return ofNetwork(provider, error)
      return make("provider_broken_stream", provider.name, `the connection ended in mid-answer (${failure.params.reason})`, { cause: error })
    },
    /** Does what an official SDK does on `host.http.fetch`. Their errors carry the status and headers; `bodyOf` knows where each keeps the body, and 0 or no status means that none was sent. */
    async asking<T>(provider: Provider, signal: AbortSignal, bodyOf: (error: object) => string, work: () => Promise<T>): Promise<T> {
      try {
        return await work()
      } catch (error) {
        signal.throwIfAborted()
        const { status, headers, cause } = error as { status?: number; headers?: Headers; cause?: unknown }
        if (status) throw ofStatus(provider, status, Object.fromEntries(headers ?? []), bodyOf(error as object))
        const known = failureOf(error) ? error : cause
        throw failureOf(known) ? ofNetwork(provider, known) : make("provider_bad_request", provider.name, withoutKey((error as Error).message, provider.apiKey), { cause: error })
      }
    },
  }
}

/** An object or a list; undefined for everything else, also for what is no JSON. */
export function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

export function nameOfStatus(status: number): ProviderErrorName {
  if (status === 401 || status === 403) return "provider_auth"
  if (status === 404) return "provider_not_found"
  if (status === 429) return "provider_rate_limited"
  if (status === 408 || status === 504) return "provider_timeout"
  return status >= 500 ? "provider_overloaded" : "provider_bad_request"
}

/** A proxy in between answers in HTML or plain text. */
function plain(body: string): string {
  return body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200)
}

/** Some providers repeat the key, or its ends, in their complaint about it. */
function withoutKey(text: string, apiKey: string): string {
  const masked = apiKey.length >= 4 ? text.replaceAll(apiKey, "***") : text
  return masked.replace(/\b(sk|xai|pplx)-[\w*-]{6,}|\bgsk_[\w*]{6,}|\bAIza[\w*-]{6,}/g, "***")
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
