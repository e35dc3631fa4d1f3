import type { IncomingMessage, ServerResponse } from "node:http"

/** What is left of a refused body: read and thrown away within these bounds, so that a client which writes all before it reads sees the answer. */
const bounds = { bytes: 64 << 20, ms: 10_000 }
/** A rest of this size is in the socket's buffers already. */
const small = 65_536

/** True when the client may still be writing a body that nobody will read. */
export function hasRest(request: IncomingMessage): boolean {
  if (request.complete) return false
  const { "content-length": length, "transfer-encoding": chunked } = request.headers
  return chunked !== undefined || Number(length ?? 0) > small
}

/** Ends an answer that is written already, when the body is in or the bounds are reached. Ending it at once would reset the connection, and the answer with it. */
export function endAfterRest(request: IncomingMessage, response: ServerResponse): void {
  let left = bounds.bytes
  const end = () => {
    clearTimeout(deadline)
    request.off("data", count)
    response.end()
  }
  const count = (part: Buffer) => {
    left -= part.length
    if (left < 0) end()
  }
  const deadline = setTimeout(end, bounds.ms)
  deadline.unref()
  // A parser that gave up may still be listening to what it no longer wants.
  request.removeAllListeners("data")
  request.unpipe()
  request.on("data", count).once("end", end).once("close", end)
  request.on("error", () => undefined)
  request.resume()
}
