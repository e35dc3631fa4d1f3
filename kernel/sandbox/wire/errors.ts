import { Failure, type FailureData, failureOf } from "@plugboard/sdk"

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

export function errorFrom({ failure, message, abort, stack }: WireError): Error {
  if (failure) return new Failure(failure)
  if (abort) return new DOMException(message, "AbortError")
  const error = new Error(message)
  if (stack) error.stack = stack
  return error
}
