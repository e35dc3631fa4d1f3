import type { ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

/** Not imported, for the reason that kernel/gateway/doors.ts gives. */
const { STATUS_CODES } = process.getBuiltinModule("node:http")

/** What is no HTTP request, or never became a whole one. Node's own answers have no body. */
const answers: Readonly<Record<string, [status: number, text: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "The headers are too large. Send less in them."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The chunk extensions are too large. Leave them out."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request took too long to arrive. Send it again."],
}
const unreadable = [400, "This is not a valid HTTP request."] as const

/** For the `clientError` of a server: there is no request to read a language from, so the text is English. */
export function answerUnreadable(error: Error & { code?: string }, socket: Duplex): void {
  // Another answer may be on its way on this connection; a second one would be taken for its end.
  const current = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
  if (error.code === "ECONNRESET" || !socket.writable || current?.headersSent) {
    socket.destroy()
    return
  }
  const [status, text] = answers[error.code ?? ""] ?? unreadable
  const body = JSON.stringify({ error: text, code: "INVALID_REQUEST" })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  socket.end(head + body, () => socket.destroy())
}
