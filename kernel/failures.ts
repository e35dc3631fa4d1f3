import { type ErrorDecl, errorKinds, type FailOptions, Failure, type FailureData, failureOf, type Locale, type Texts } from "@plugboard/sdk"

/** Failures of the kernel itself. Texts: `kernel/texts/{en,vi,zh}.json`. */
export const kernelErrors = {
  invalid_request: { kind: "INVALID_REQUEST" },
  invalid_json: { kind: "INVALID_REQUEST" },
  unauthenticated: { kind: "UNAUTHENTICATED" },
  connect_first: { kind: "UNAUTHENTICATED" },
  tenant_revoked: { kind: "TENANT_ACCESS_REVOKED" },
  tenant_suspended: { kind: "FORBIDDEN" },
  forbidden: { kind: "FORBIDDEN" },
  not_found: { kind: "NOT_FOUND" },
  method_not_allowed: { kind: "METHOD_NOT_ALLOWED" },
  unknown_method: { kind: "INVALID_REQUEST" },
  bad_frame: { kind: "INVALID_REQUEST" },
  too_large: { kind: "TOO_LARGE" },
  unsupported_type: { kind: "UNSUPPORTED_TYPE" },
  bad_range: { kind: "RANGE" },
  rate_limited: { kind: "RESOURCE_EXHAUSTED", openai: { type: "rate_limit_error", code: "rate_limit_exceeded" } },
  denied: { kind: "FORBIDDEN" },
  too_slow: { kind: "AGENT_TIMEOUT" },
  internal: { kind: "INTERNAL" },
  unavailable: { kind: "UNAVAILABLE" },
  database_unavailable: { kind: "UNAVAILABLE" },
  overloaded: { kind: "UNAVAILABLE" },
  service_missing: { kind: "UNAVAILABLE" },
  hook_failed: { kind: "UNAVAILABLE" },
  migration_failed: { kind: "INTERNAL" },
  egress_refused: { kind: "INVALID_REQUEST" },
  egress_failed: { kind: "UPSTREAM_FAILED" },
  egress_timeout: { kind: "AGENT_TIMEOUT" },
  unknown_scope: { kind: "INVALID_REQUEST" },
  beyond_creator: { kind: "FORBIDDEN" },
  unknown_key: { kind: "NOT_FOUND" },
  unknown_tenant: { kind: "NOT_FOUND" },
  tenant_taken: { kind: "ALREADY_EXISTS" },
  master_stays: { kind: "INVALID_REQUEST" },
  unknown_pairing: { kind: "NOT_FOUND" },
  already_paired: { kind: "ALREADY_EXISTS" },
  pairings_full: { kind: "RESOURCE_EXHAUSTED" },
  sql_refused: { kind: "FORBIDDEN" },
  answer_too_large: { kind: "INTERNAL" },
  transaction_expired: { kind: "UNAVAILABLE" },
  caller_expired: { kind: "FORBIDDEN" },
  not_granted: { kind: "FORBIDDEN" },
  plugin_failed: { kind: "UNAVAILABLE" },
  plugin_timeout: { kind: "AGENT_TIMEOUT" },
  database_paused: { kind: "UNAVAILABLE" },
  unknown_plugin: { kind: "NOT_FOUND" },
  plugin_for_owners: { kind: "FORBIDDEN" },
  plugin_essential: { kind: "FAILED_PRECONDITION" },
  plugin_locked: { kind: "FAILED_PRECONDITION" },
  plugin_bundled: { kind: "FAILED_PRECONDITION" },
  plugin_id_taken: { kind: "ALREADY_EXISTS" },
  plugin_package: { kind: "INVALID_REQUEST" },
  plugin_not_waiting: { kind: "FAILED_PRECONDITION" },
  plugin_replaced: { kind: "FAILED_PRECONDITION" },
  plugin_no_previous: { kind: "FAILED_PRECONDITION" },
  plugin_settings: { kind: "INVALID_REQUEST" },
  plugin_secret_absent: { kind: "INVALID_REQUEST" },
  encryption_for_owners: { kind: "FORBIDDEN" },
  encryption_key_missing: { kind: "UNAVAILABLE" },
  encryption_key_fixed: { kind: "FAILED_PRECONDITION" },
  encryption_key_in_use: { kind: "FAILED_PRECONDITION" },
  encryption_key_newest: { kind: "FAILED_PRECONDITION" },
  unknown_encryption_key: { kind: "NOT_FOUND" },
  backup_for_owners: { kind: "FORBIDDEN" },
  backup_under_way: { kind: "FAILED_PRECONDITION" },
  backup_broken: { kind: "INVALID_REQUEST" },
  backup_newer: { kind: "FAILED_PRECONDITION" },
  backup_older: { kind: "FAILED_PRECONDITION" },
  backup_consent: { kind: "FAILED_PRECONDITION" },
  restore_not_empty: { kind: "FAILED_PRECONDITION" },
  restore_running: { kind: "FAILED_PRECONDITION" },
  gateway_only: { kind: "FORBIDDEN" },
  config_changed: { kind: "INVALID_REQUEST" },
  config_misfit: { kind: "INVALID_REQUEST" },
  config_of_node: { kind: "FAILED_PRECONDITION" },
} as const satisfies Record<string, ErrorDecl>
export type KernelError = keyof typeof kernelErrors

export function fail(name: KernelError, params: Readonly<Record<string, unknown>> = {}, options: FailOptions = {}): Failure {
  return declaredFailure("kernel", name, kernelErrors[name], params, options)
}

export function declaredFailure(owner: string, name: string, decl: ErrorDecl, params: Readonly<Record<string, unknown>>, options: FailOptions): Failure {
  const { cause, ...rest } = options
  const data: FailureData = { name: `${owner}.${name}`, kind: decl.kind, params, openai: decl.openai, ...rest }
  return new Failure(data, cause === undefined ? undefined : { cause })
}

/** A failure as it is told: in the caller's language, with status and code. */
export interface ToldFailure {
  status: number
  code: string
  message: string
  failure: FailureData
}

/** Tells a declared failure; null for anything else, which the caller logs under an id and tells as `kernel.internal`. */
export function tell(error: unknown, locale: Locale, texts: ReadonlyMap<string, Texts>): ToldFailure | null {
  const failure = failureOf(error)
  if (!failure) return null
  const kind = errorKinds[failure.kind] ?? errorKinds.INTERNAL
  const dot = failure.name.indexOf(".")
  const of = texts.get(failure.name.slice(0, dot))
  const name = failure.name.slice(dot + 1)
  const template = failure.text ?? of?.[locale]?.[name] ?? of?.en[name] ?? failure.name
  const message = failure.text ?? template.replace(/\{(\w+)\}/g, (hole, param: string) => (param in failure.params ? String(failure.params[param]) : hole))
  return { status: kind.status, code: kind.code, message, failure }
}

/** For the operator, in English: the text of a declared failure, whose `message` is no more than its name; of anything else the message. */
export function reasonOf(error: unknown, texts: ReadonlyMap<string, Texts>): string {
  return tell(error, "en", texts)?.message ?? (error instanceof Error ? error.message : String(error))
}
