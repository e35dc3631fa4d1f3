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
    body: isOpenAi(listener.decl, told) ? { error: openAiError(told) } : { error: told.message, code: told.code, ...(failure.details && { details: failure.details }) },
  }
}

/** A failure in mid-stream, as its last frame. */
export function failureFrame(error: unknown, listener: Listener): { event?: string; data: object } {
  const told = toldTo(listener, error)
  return listener.decl?.errors === "openai" ? { data: { error: openAiError(told) } } : { event: "error", data: { error: told.message, code: told.code } }
}

/** One that nobody declared is logged under the request's id, and only the id is told. */
function toldTo({ id, locale, texts, log }: Listener, error: unknown): ToldFailure {
  const told = tell(error, locale, texts)
  if (told) return told
  log.error({ err: error, id }, "unexpected failure")
  const known = fail("internal", { id })
  return tell(known, locale, texts) ?? { status: 500, code: "INTERNAL", message: id, failure: known.failure }
}

/** 401 and 403 of the auth layer keep the common form on the OpenAI routes too. Source: wire contract, http-core 3. */
function isOpenAi(decl: RouteDecl | undefined, { status, failure }: ToldFailure): boolean {
  return decl?.errors === "openai" && !((status === 401 || status === 403) && failure.name.startsWith("kernel."))
}

/** The error object of OpenAI's API. */
function openAiError({ status, message, failure }: ToldFailure): { message: string; type: string; param: null; code: string | null } {
  const type = failure.openai?.type ?? (status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error")
  return { message, type, param: null, code: failure.openai?.code ?? (status >= 500 ? "internal_error" : null) }
}

export function isDeclared(error: unknown): boolean {
  return failureOf(error) !== undefined
}
