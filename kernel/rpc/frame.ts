import { fail, type ToldFailure } from "../failures.ts"

/** A request as it stands on the wire; its parameters are not checked yet. */
export interface RequestFrame {
  id: string | number
  method: string
  params: Record<string, unknown>
}

/** Reads one message. Throws `kernel.bad_frame`; `id` is what could be read of it, so that the answer finds its way. */
export function readFrame(text: string): { id: string | number; frame?: RequestFrame; error?: Error } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { id: "", error: fail("bad_frame", { reason: "it is not JSON" }) }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { id: "", error: fail("bad_frame", { reason: "it is not an object" }) }
  const { type, id, method, params } = value as Record<string, unknown>
  if (typeof type !== "string") return { id: "", error: fail("bad_frame", { reason: "it has no type" }) }
  if (type !== "req") return { id: "", error: fail("bad_frame", { reason: `its type is ${JSON.stringify(type.slice(0, 50))}` }) }
  const known = typeof id === "string" || typeof id === "number" ? id : ""
  if (known === "") return { id: "", error: fail("bad_frame", { reason: "it has no id" }) }
  if (typeof method !== "string" || method === "") return { id: known, error: fail("bad_frame", { reason: "it has no method" }) }
  if (params !== undefined && params !== null && (typeof params !== "object" || Array.isArray(params))) return { id: known, error: fail("bad_frame", { reason: "its params are not an object" }) }
  return { id: known, frame: { id: known, method, params: (params ?? {}) as Record<string, unknown> } }
}

/** The error member of a response. Source: wire contract, websocket 1.2. */
export function errorOf({ code, message, failure }: ToldFailure): object {
  const retryable = failure.retryAfterMs !== undefined
  return { code, message, ...(failure.details && { details: failure.details }), ...(retryable && { retryable: true, retryAfterMs: Math.ceil(failure.retryAfterMs as number) }) }
}
