import { randomUUID } from "node:crypto"
import { failureOf, type Locale, type RouteDecl, type Texts } from "@plugboard/sdk"
import { fail, tell, type ToldFailure } from "../failures.ts"
import type { GatewayLog } from "../log.ts"

export interface FailureReply {
  status: number
  headers: Record<string, string>
  body: object
}

/** A failure as the client gets it. One that nobody declared is logged under an id, and only the id is told. */
export function failureReply(error: unknown, options: { locale: Locale; texts: ReadonlyMap<string, Texts>; log: GatewayLog; decl?: RouteDecl; request: string }): FailureReply {
  const told = tell(error, options.locale, options.texts) ?? unexpected(error, options)
  const { failure, status } = told
  const headers: Record<string, string> = {}
  const retryMs = failure.retryAfterMs ?? (status === 503 ? 1_000 : undefined)
  if (retryMs !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(retryMs / 1_000)))
  if (status === 401) headers["www-authenticate"] = "Bearer"
  if (status === 405 && typeof failure.params.allow === "string") headers.allow = failure.params.allow
  // 401 and 403 of the auth layer keep the common form on the OpenAI routes too. Source: wire contract, http-core 3.
  const asOpenAi = options.decl?.errors === "openai" && status !== 401 && status !== 403
  const body = asOpenAi ? { error: openAiError(told) } : { error: told.message, code: told.code, ...(failure.details && { details: failure.details }) }
  return { status, headers, body }
}

/** The error object of OpenAI's API, in a reply or in a stream. */
export function openAiError(told: ToldFailure): { message: string; type: string; param: null; code: string | null } {
  const { status, message, failure } = told
  const type = failure.openai?.type ?? (status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error")
  const code = failure.openai?.code ?? (status >= 500 ? "internal_error" : null)
  return { message, type, param: null, code }
}

export function toldOrInternal(error: unknown, options: { locale: Locale; texts: ReadonlyMap<string, Texts>; log: GatewayLog; request: string }): ToldFailure {
  return tell(error, options.locale, options.texts) ?? unexpected(error, options)
}

function unexpected(error: unknown, { locale, texts, log, request }: { locale: Locale; texts: ReadonlyMap<string, Texts>; log: GatewayLog; request: string }): ToldFailure {
  const id = randomUUID()
  log.error({ err: error, id, request }, "unexpected failure")
  const known = fail("internal", { id })
  return tell(known, locale, texts) ?? { status: 500, code: "INTERNAL", message: id, failure: failureOf(known) as never }
}
