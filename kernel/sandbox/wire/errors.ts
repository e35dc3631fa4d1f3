import { type ErrorDetail, errorKinds, Failure, type FailureData, failureOf } from "@plugboard/sdk"

/** An error on the wire: a failure as data, or of anything else the text. */
export interface WireError {
  failure?: FailureData
  message: string
  /** `AbortError` keeps its name: whoever waits tells it from a failure. */
  abort?: true
  stack?: string
}

export function wireError(error: unknown, withStack: boolean): WireError {
  const failure = failureOf(error)
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error))
  return {
    message: message.slice(0, 4_000),
    ...(failure && { failure }),
    ...(name === "AbortError" && { abort: true }),
    ...(withStack && stack && { stack: stack.slice(0, 4_000) }),
  }
}

/** The error again. What comes from a plugin's process may be anything: a failure that no gateway would make is an error without a name. */
export function errorFrom(wire: unknown): Error {
  const { failure, message, abort, stack } = (typeof wire === "object" && wire !== null ? wire : {}) as Record<string, unknown>
  const data = failureFrom(failure)
  if (data) return new Failure(data)
  const text = textOf(message, 4_000) ?? "it failed without a word"
  if (abort === true) return new DOMException(text, "AbortError")
  const error = new Error(text)
  if (stack !== undefined) error.stack = textOf(stack, 4_000)
  return error
}

function failureFrom(value: unknown): FailureData | undefined {
  if (!isObject(value)) return undefined
  const { name, kind, params, details, retryAfterMs, openai, text } = value
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,62}\.\w{1,100}$/.test(name) || typeof kind !== "string" || !Object.hasOwn(errorKinds, kind)) return undefined
  return {
    name,
    kind: kind as FailureData["kind"],
    params: isObject(params) ? params : {},
    ...(Array.isArray(details) && { details: details.slice(0, 20).flatMap(detailFrom) }),
    ...(typeof retryAfterMs === "number" && retryAfterMs >= 0 && { retryAfterMs: Math.min(retryAfterMs, 86_400_000) }),
    ...(isObject(openai) && { openai: { type: textOf(openai.type, 100), code: textOf(openai.code, 100) } }),
    ...(typeof text === "string" && { text: text.slice(0, 4_000) }),
  }
}

function detailFrom(value: unknown): ErrorDetail[] {
  if (!isObject(value)) return []
  return [{ path: textOf(value.path, 500) ?? "", rule: textOf(value.rule, 100) ?? "", message: textOf(value.message, 500) ?? "" }]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function textOf(value: unknown, longest: number): string | undefined {
  return typeof value === "string" ? value.slice(0, longest) : undefined
}
