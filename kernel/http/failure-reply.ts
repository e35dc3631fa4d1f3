import { failureOf, type Locale, type RouteDecl, type Texts } from "@plugboard/sdk"
import { fail, type ToldFailure, tell } from "../failures.ts"
import type { GatewayLog } from "../log.ts"

/** What it takes to tell a failure to one client. */
export interface Listener {
  readonly id: string
  readonly locale: Locale
  readonly texts: ReadonlyMap<string, Texts>
  readonly log: GatewayLog
  readonly decl: RouteDecl | undefined
  readonly tenantId?: string
}

/** A failure as the client gets it. */
export function failureReply(error: unknown, listener: Listener): { status: number; headers: Record<string, string>; body: object } {
  const told = toldTo(listener, error)
  const { failure, status } = told
  const headers: Record<string, string> = {}
  const retryMs = failure.retryAfterMs ?? (status === 503 ? 1_000 : undefined)
  if (retryMs !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(retryMs / 1_000)))
  if (status === 401) headers["www-authenticate"] = "Bearer"
  if (status === 405 && typeof failure.params.allow === "string") headers.allow = failure.params.allow
  if (status === 416) headers["content-range"] = `bytes */${String(failure.params.size)}`
  return {
    status,
    headers,
    body: isCommon(listener.decl, told) ? { error: told.message, code: told.code, ...(failure.details && { details: failure.details }) } : foreignBody(listener.decl, told),
  }
}

/** A failure in mid-stream, as its last frame. */
export function failureFrame(error: unknown, listener: Listener): { event?: string; data: object } {
  const told = toldTo(listener, error)
  if (listener.decl?.errors === "openai") return { data: foreignBody(listener.decl, told) }
  return { event: "error", data: listener.decl?.errors ? foreignBody(listener.decl, told) : { error: told.message, code: told.code } }
}

/** One that nobody declared is logged under the request's id, and only the id is told. */
function toldTo({ id, locale, texts, tenantId, log }: Listener, error: unknown): ToldFailure {
  const told = tell(error, locale, texts)
  if (told) return told
  log.error({ err: error, id, tenant: tenantId }, "unexpected failure")
  const known = fail("internal", { id })
  return tell(known, locale, texts) ?? { status: 500, code: "INTERNAL", message: id, failure: known.failure }
}

/** 401 and 403 of the auth layer keep the common form on routes with another one too. Source: wire contract, http-core 3. */
function isCommon(decl: RouteDecl | undefined, { status, failure }: ToldFailure): boolean {
  return decl?.errors === undefined || ((status === 401 || status === 403) && failure.name.startsWith("kernel."))
}

function foreignBody(decl: RouteDecl | undefined, told: ToldFailure): object {
  return decl?.errors === "anthropic" ? { type: "error", error: { type: anthropicType(told.status), message: told.message } } : { error: openAiError(told) }
}

/** Source: Anthropic's public API reference, "Errors". */
function anthropicType(status: number): string {
  const types: Readonly<Record<number, string>> = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
  }
  return types[status] ?? (status === 503 ? "overloaded_error" : status === 504 ? "timeout_error" : status >= 500 ? "api_error" : "invalid_request_error")
}

/** The error object of OpenAI's API. */
function openAiError({ status, message, failure }: ToldFailure): { message: string; type: string; param: null; code: string | null } {
  const type = failure.openai?.type ?? (status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error")
  return { message, type, param: null, code: failure.openai?.code ?? (status >= 500 ? "internal_error" : null) }
}

export function isDeclared(error: unknown): boolean {
  return failureOf(error) !== undefined
}
