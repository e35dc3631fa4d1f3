import { fail, type ToldFailure } from "../failures.ts"

/** A request as it stands on the wire; its parameters are not checked yet. */
export interface RequestFrame {
  id: string | number
  method: string
  params: Record<string, unknown>
}

/** Reads one message. Without a `frame` there is an `error`; `id` is what could be read of it, so that the answer finds its way. Source: wire contract, websocket 1.3. */
export function readFrame(text: string): { id: string | number; frame?: RequestFrame; error?: Error } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refused("", "it is not JSON")
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refused("", "it is not an object")
  const { type, id, method, params } = value as Record<string, unknown>
  if (typeof type !== "string") return refused("", "it has no type")
  if (type !== "req") return refused("", `its type is ${JSON.stringify(type.slice(0, 50))}`)
  if (typeof id !== "string" && typeof id !== "number") return refused("", "it has no id")
  if (typeof method !== "string" || method === "") return refused(id, "it has no method")
  if (params !== undefined && params !== null && (typeof params !== "object" || Array.isArray(params))) return refused(id, "its params are not an object")
  return { id, frame: { id, method, params: (params ?? {}) as Record<string, unknown> } }
}

function refused(id: string | number, reason: string) {
  return { id, error: fail("bad_frame", { reason }) }
}

/** The error member of a response. Source: wire contract, websocket 1.2. */
export function errorOf({ code, message, failure }: ToldFailure): object {
  const retryable = failure.retryAfterMs !== undefined
  return { code, message, ...(failure.details && { details: failure.details }), ...(retryable && { retryable: true, retryAfterMs: Math.ceil(failure.retryAfterMs as number) }) }
}

/**
 * A final text frame as a server sends it, head and text in one piece (RFC 6455, 5.2). A server's frames are not masked, so one buffer serves all sockets.
 * Measured with 64 sockets: 1.5 us a frame, against 2.1 us with `ws.send(text)`, which encodes the text anew for each.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = 0x81
  if (head === 2) frame[1] = length
  else if (head === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, head, "utf8")
  return frame
}
