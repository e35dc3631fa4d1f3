import { once } from "node:events"
import { WebSocket } from "ws"

/** What came of one message. */
export interface Heard {
  /** The answer of `chat.send`. */
  answer: string
  /** The run's chunks, joined. */
  text: string
  /** Types of the run's events, in order. */
  types: string[]
}

/** A socket for one chat among many: it reads everything and looks closer only at what is about its own session, since 64 of them share the test's process. */
export interface ChatSocket {
  /** Rejects when the socket ends before the answer. */
  send(message: string): Promise<Heard>
  close(): void
}

export async function openChatSocket(url: string, credentials: object, sessionKey: string): Promise<ChatSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`, { perMessageDeflate: false })
  await once(socket, "open")
  const ask = (id: string, method: string, params: object) => socket.send(JSON.stringify({ type: "req", id, method, params }))
  ask("connect", "connect", credentials)
  await once(socket, "message")
  const own = Buffer.from(`"sessionKey":"${sessionKey}"`)
  const response = Buffer.from(`"type":"res"`)
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        const heard: Heard = { answer: "", text: "", types: [] }
        socket.on("close", (code) => reject(new Error(`the socket of ${sessionKey} ended with ${code}`)))
        socket.on("message", (data: Buffer) => {
          if (!data.includes(own) && data.indexOf(response) !== 1) return
          const { type, event, payload, error } = JSON.parse(data.toString())
          if (type === "res") {
            if (error) return reject(new Error(`${error.code} ${error.message}`))
            return resolve({ ...heard, answer: payload.content })
          }
          // A new session also gets a name, which is told when it is there.
          if (event !== "agent") return
          heard.types.push(payload.type)
          if (payload.type === "chunk") heard.text += payload.payload.content
        })
        ask("send", "chat.send", { sessionKey, message, stream: true })
      }),
    close: () => socket.close(),
  }
}
