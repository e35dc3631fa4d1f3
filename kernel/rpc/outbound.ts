import type { Socket } from "node:net"
import type { WebSocket } from "ws"
import { Backlog } from "./backlog.ts"
import type { Outgoing } from "./outgoing.ts"

/** Bytes that may wait in a socket's own buffer before frames wait in a backlog: room for what one turn of the loop writes to a client that does read. */
const watermark = 256 << 10

/** Frames of one socket, in order. A socket whose client reads more slowly than is sent to it lags: it has a backlog, and the caller stops reading its requests. */
export class Outbound {
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #onLag: () => void
  #backlog: Backlog | undefined

  /** `onLag` is called when the socket begins to lag and when it has caught up. */
  constructor(ws: WebSocket, socket: Socket, onLag: () => void) {
    this.#ws = ws
    this.#socket = socket
    this.#onLag = onLag
  }

  get lagging(): boolean {
    return this.#backlog !== undefined
  }

  /** True while bytes wait that the operating system has not taken. */
  get unwritten(): boolean {
    return this.#socket.writableLength > 0
  }

  /** Bytes that the operating system has taken so far. Sees a large frame go out piece by piece, which only the handle knows: Node's own socket timeouts look there too. */
  get taken(): number {
    const handle = (this.#socket as Socket & { _handle?: { bytesWritten: number; writeQueueSize: number } | null })._handle
    return handle ? handle.bytesWritten - handle.writeQueueSize : 0
  }

  push(frame: Outgoing): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    if (this.#backlog) {
      this.#backlog.push(frame)
      return
    }
    this.#write(frame.bytes)
    if (this.#socket.writableLength < watermark) return
    this.#backlog = new Backlog()
    this.#socket.once("drain", this.#flush)
    this.#onLag()
  }

  readonly #flush = (): void => {
    const backlog = this.#backlog
    if (!backlog || this.#ws.readyState !== this.#ws.OPEN) return
    while (backlog.size > 0) {
      if (this.#socket.writableNeedDrain) {
        this.#socket.once("drain", this.#flush)
        return
      }
      this.#write(backlog.shift() as Buffer)
    }
    this.#backlog = undefined
    this.#onLag()
  }

  /** Past `ws`, whose frames would be the same: text frames of a server have nothing to negotiate, since no extension is. */
  #write(bytes: Buffer): void {
    cork(this.#socket)
    this.#socket.write(bytes)
  }
}

let corked: Socket[] = []

/** What one turn of the loop writes to a socket leaves in one system call. */
function cork(socket: Socket): void {
  if (socket.writableCorked > 0) return
  if (corked.length === 0) process.nextTick(uncorkAll)
  corked.push(socket)
  socket.cork()
}

function uncorkAll(): void {
  const sockets = corked
  corked = []
  for (const socket of sockets) socket.uncork()
}
