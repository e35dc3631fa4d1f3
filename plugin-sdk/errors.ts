import type { Locale } from "./caller.ts"

/** One failure has one kind; HTTP status and wire code follow from it. Source: wire contract, http-core 1.3 and websocket 1.3. */
export const errorKinds = {
  INVALID_REQUEST: { status: 400, code: "INVALID_REQUEST" },
  TOOL_ERROR: { status: 400, code: "TOOL_ERROR" },
  UNAUTHENTICATED: { status: 401, code: "UNAUTHORIZED" },
  TENANT_ACCESS_REVOKED: { status: 401, code: "TENANT_ACCESS_REVOKED" },
  FORBIDDEN: { status: 403, code: "UNAUTHORIZED" },
  NOT_FOUND: { status: 404, code: "NOT_FOUND" },
  METHOD_NOT_ALLOWED: { status: 405, code: "INVALID_REQUEST" },
  ALREADY_EXISTS: { status: 409, code: "ALREADY_EXISTS" },
  FAILED_PRECONDITION: { status: 409, code: "FAILED_PRECONDITION" },
  TOO_LARGE: { status: 413, code: "INVALID_REQUEST" },
  UNSUPPORTED_TYPE: { status: 415, code: "INVALID_REQUEST" },
  RANGE: { status: 416, code: "INVALID_REQUEST" },
  UNPROCESSABLE: { status: 422, code: "FAILED_PRECONDITION" },
  RESOURCE_EXHAUSTED: { status: 429, code: "RESOURCE_EXHAUSTED" },
  INTERNAL: { status: 500, code: "INTERNAL" },
  UPSTREAM_FAILED: { status: 502, code: "UNAVAILABLE" },
  UNAVAILABLE: { status: 503, code: "UNAVAILABLE" },
  AGENT_TIMEOUT: { status: 504, code: "AGENT_TIMEOUT" },
} as const
export type ErrorKind = keyof typeof errorKinds

/** One field that does not fit. `path` is a JSON pointer into the request. */
export interface ErrorDetail {
  path: string
  rule: string
  message: string
}

/** What a failure is, as plain data: it keeps its meaning when it crosses a process and loses its class. */
export interface FailureData {
  /** `<plugin>.<name>`, or `kernel.<name>`. Compare this, never the text. */
  name: string
  kind: ErrorKind
  params: Readonly<Record<string, unknown>>
  details?: readonly ErrorDetail[]
  /** When the caller may try again; sent as Retry-After in whole seconds and as `retryAfterMs`. */
  retryAfterMs?: number
  /** Overrides for the error object of the OpenAI routes. */
  openai?: { type?: string; code?: string }
  /** A text that replaces the declared one, for causes that come from outside (a provider's own words). */
  text?: string
}

export class Failure extends Error {
  override readonly name = "Failure"
  readonly failure: FailureData
  constructor(failure: FailureData, options?: ErrorOptions) {
    super(failure.text ?? failure.name, options)
    this.failure = failure
  }
}

/** True for a failure of that name, also for one that crossed a process. */
export function isError(error: unknown, name: string): error is { failure: FailureData } {
  return failureOf(error)?.name === name
}

export function failureOf(error: unknown): FailureData | undefined {
  if (typeof error !== "object" || error === null || !("failure" in error)) return undefined
  const { failure } = error as { failure: unknown }
  return typeof failure === "object" && failure !== null && "kind" in failure ? (failure as FailureData) : undefined
}

/** Texts of one plugin: error name to a sentence with `{param}` holes, per language. */
export type Texts = Readonly<Record<Locale, Readonly<Record<string, string>>>>
