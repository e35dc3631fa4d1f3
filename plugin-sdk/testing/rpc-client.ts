export interface ResponseFrame {
  type: "res"
  id: string
  ok: boolean
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the gateway answered, and fails by itself when it is something else.
  payload?: any
  error?: { code: string; message: string; details?: unknown; retryable?: boolean; retryAfterMs?: number }
}
export interface EventFrame {
  type: "event"
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  payload?: any
}

/** A socket that speaks the RPC protocol, as a test needs it. */
export interface RpcClient {
  /** Every event so far, in order. */
  readonly events: EventFrame[]
  /** The payload of a success; rejects with the error's code and message. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  call(method: string, params?: Record<string, unknown>): Promise<any>
  /** The whole response frame, whatever it says. */
  request(method: string, params?: Record<string, unknown>): Promise<ResponseFrame>
  /** The first event, past or to come, that fits. Rejects after `timeoutMs` (10,000). */
  next(event: string, fits?: (payload: EventFrame["payload"]) => boolean, timeoutMs?: number): Promise<EventFrame>
  send(text: string): void
  /** Resolves with the close code. */
  readonly closed: Promise<number>
  close(): void
}

export async function openRpc(url: string): Promise<RpcClient> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`)
  const waiting = new Map<string, (frame: ResponseFrame) => void>()
  const watchers = new Set<(frame: EventFrame) => void>()
  const events: EventFrame[] = []
  let next = 0
  let gone: Error | undefined
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", (event) => {
      gone = new Error(`the socket closed with ${event.code}`)
      for (const answer of waiting.values()) answer({ type: "res", id: "", ok: false, error: { code: "CLOSED", message: gone.message } })
      waiting.clear()
      resolve(event.code)
    })
  })
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as ResponseFrame | EventFrame
    if (frame.type === "event") {
      events.push(frame)
      for (const watch of watchers) watch(frame)
    } else {
      waiting.get(frame.id)?.(frame)
      waiting.delete(frame.id)
    }
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve())
    socket.addEventListener("error", () => reject(new Error(`no socket at ${url}`)))
  })
  const request: RpcClient["request"] = (method, params = {}) =>
    new Promise((resolve) => {
      const id = String(++next)
      if (gone) return resolve({ type: "res", id, ok: false, error: { code: "CLOSED", message: gone.message } })
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ type: "req", id, method, params }))
    })
  return {
    events,
    closed,
    request,
    async call(method, params) {
      const frame = await request(method, params)
      if (!frame.ok) throw Object.assign(new Error(`${method}: ${frame.error?.code} ${frame.error?.message}`), { code: frame.error?.code })
      return frame.payload
    },
    next(event, fits = () => true, timeoutMs = 10_000) {
      const known = events.find((frame) => frame.event === event && fits(frame.payload))
      if (known) return Promise.resolve(known)
      return new Promise((resolve, reject) => {
        const watch = (frame: EventFrame) => {
          if (frame.event !== event || !fits(frame.payload)) return
          stop()
          resolve(frame)
        }
        const timer = setTimeout(() => {
          stop()
          reject(new Error(`no event ${event} within ${timeoutMs} ms`))
        }, timeoutMs)
        const stop = () => {
          clearTimeout(timer)
          watchers.delete(watch)
        }
        watchers.add(watch)
      })
    },
    send: (text) => socket.send(text),
    close: () => socket.close(),
  }
}
