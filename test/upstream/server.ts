import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"

export interface Received {
  method: string
  /** With its query. */
  path: string
  headers: IncomingHttpHeaders
  /** Parsed JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what was sent and fails by itself when it is something else.
  body: any
  /** The connection that it came on. */
  socket: Socket
  /** Resolves when the answer is over; true when the client left before that. */
  closed: Promise<boolean>
}

/** One answer, with what a fault needs. */
export interface Reply {
  readonly gone: boolean
  json(status: number, body: string | Uint8Array, headers?: Record<string, string>): void
  send(status: number, type: string, body: string | Uint8Array, headers?: Record<string, string>): void
  /** The head of an event stream, once, and these texts. */
  start(texts: string | Uint8Array | readonly string[]): Reply
  write(bytes: string | Uint8Array): void
  /** Resolves when what was written has left, so that the next piece travels by itself. */
  flushed(): Promise<void>
  end(): void
  destroy(): void
}

export type Answer = (received: Received, reply: Reply) => void | Promise<void>

export interface Server {
  readonly origin: string
  readonly requests: Received[]
  close(): Promise<void>
}

/** A server on this machine that keeps what it was asked. */
export async function startServer(answer: Answer): Promise<Server> {
  const requests: Received[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => {
      const text = Buffer.concat(parts).toString()
      const closed = new Promise<boolean>((resolve) => {
        response.on("close", () => resolve(!response.writableFinished))
      })
      const { method = "", url = "", headers, socket } = request
      const received: Received = { method, path: url, headers, body: text === "" ? undefined : JSON.parse(text), socket, closed }
      requests.push(received)
      void answer(received, replyOver(response))
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

function replyOver(response: ServerResponse): Reply {
  const reply: Reply = {
    get gone() {
      return response.destroyed
    },
    json: (status, body, headers) => reply.send(status, "application/json", body, headers),
    send(status, type, body, headers = {}) {
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), ...headers }).end(body)
    },
    start(texts) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
      response.flushHeaders()
      const bytes = Array.isArray(texts) ? texts.join("") : (texts as string | Uint8Array)
      if (bytes.length > 0) response.write(bytes)
      return reply
    },
    write: (bytes) => void response.write(bytes),
    flushed: () => new Promise((resolve) => setImmediate(resolve)),
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  }
  return reply
}
