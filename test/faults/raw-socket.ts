import { randomBytes } from "node:crypto"
import { connect, type Socket } from "node:net"

/** A WebSocket by hand, which can stop reading: what client libraries take care never to do. */
export interface DeafSocket {
  readonly socket: Socket
  /** One masked text frame. */
  send(text: string): void
  /** From now on nothing is read, and the peer's buffers fill up. */
  stopReading(): void
}

export async function openDeafSocket(url: string, first: object): Promise<DeafSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on("error", () => undefined)
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve())
    socket.once("error", reject)
  })
  const upgraded = new Promise<void>((resolve) => socket.once("data", () => resolve()))
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  )
  await upgraded
  const send = (text: string) => socket.write(textFrame(text))
  const answered = new Promise<void>((resolve) => socket.once("data", () => resolve()))
  send(JSON.stringify(first))
  await answered
  socket.on("data", () => undefined)
  return {
    socket,
    send,
    stopReading: () => {
      socket.removeAllListeners("data")
      socket.pause()
    },
  }
}

/** RFC 6455, section 5.2: a final text frame, masked as a client's must be. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const mask = randomBytes(4)
  const long = payload.length > 125
  const head = Buffer.alloc(long ? 4 : 2)
  head[0] = 0x81
  head[1] = 0x80 | (long ? 126 : payload.length)
  if (long) head.writeUInt16BE(payload.length, 2)
  for (let index = 0; index < payload.length; index += 1) payload[index] = (payload[index] as number) ^ (mask[index % 4] as number)
  return Buffer.concat([head, mask, payload])
}
