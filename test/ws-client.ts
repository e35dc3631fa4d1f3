import { once } from "node:events"
import type { EventFrame, ResponseFrame } from "@plugboard/sdk/testing"
import WebSocket from "ws"

/** A client over the `ws` package that keeps every frame in the order in which it came, responses among events. */
export interface WsClient {
  readonly frames: readonly (ResponseFrame | EventFrame)[]
  request(method: string, params?: object): Promise<ResponseFrame>
  close(): void
}

export async function wsClient(url: string): Promise<WsClient> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`)
  const frames: (ResponseFrame | EventFrame)[] = []
  const waiting = new Map<string, (frame: ResponseFrame) => void>()
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as ResponseFrame | EventFrame
    frames.push(frame)
    if (frame.type === "res") waiting.get(frame.id)?.(frame)
  })
  await once(socket, "open")
  let calls = 0
  return {
    frames,
    request(method, params = {}) {
      const id = String(++calls)
      socket.send(JSON.stringify({ type: "req", id, method, params }))
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    close: () => socket.close(),
  }
}
