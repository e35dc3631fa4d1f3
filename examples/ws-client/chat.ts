import { randomUUID } from "node:crypto"
import WebSocket from "ws"

interface Frame {
  type: "res" | "event"
  id?: string
  ok?: boolean
  payload?: Record<string, unknown>
  error?: { code: string; message: string }
}

const url = (process.env.PLUGBOARD_URL ?? "http://127.0.0.1:18790").replace(/^http/, "ws")
const socket = new WebSocket(`${url}/ws`)
const waiting = new Map<string, (frame: Frame) => void>()
let calls = 0

socket.on("message", (data) => {
  const frame = JSON.parse(String(data)) as Frame
  if (frame.type === "event") show(frame)
  else waiting.get(frame.id as string)?.(frame)
})

/** One request, one response; they find each other by the id. */
function call(method: string, params: object = {}): Promise<Record<string, unknown>> {
  const id = String(++calls)
  socket.send(JSON.stringify({ type: "req", id, method, params }))
  return new Promise((resolve, reject) => {
    waiting.set(id, (frame) => {
      waiting.delete(id)
      if (frame.ok) resolve(frame.payload ?? {})
      else reject(new Error(`${method}: ${frame.error?.code} ${frame.error?.message}`))
    })
  })
}

/** A run's progress comes as events named `agent`, before the response to chat.send. */
function show({ payload }: Frame): void {
  const event = payload as { type?: string; payload?: Record<string, unknown> }
  if (event.type === "chunk") process.stdout.write(String(event.payload?.content))
  else if (event.type === "tool.call") console.log("\ncalls   ", event.payload?.name, JSON.stringify(event.payload?.arguments))
  else if (event.type === "tool.result") console.log("gets    ", event.payload?.result)
  else if (event.type === "run.completed") console.log("\ndone")
}

await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject))
const me = await call("connect", { token: process.env.PLUGBOARD_TOKEN, user_id: "alice", protocol: 3 })
console.log("I am    ", me.role, me.user_id)

const sessionKey = `agent:default:ws:direct:${randomUUID()}`
await call("chat.send", { agentId: "default", sessionKey, message: "Tell me about switchboards.", stream: true })
// The loopback provider calls the tool that it is told to; ask a real model in your own words.
await call("chat.send", { agentId: "default", sessionKey, message: '/tool datetime {"timezone":"Asia/Ho_Chi_Minh"}', stream: true })

const history = await call("chat.history", { sessionKey })
for (const { role, content } of history.messages as { role: string; content: string }[]) console.log(role.padEnd(9), content.slice(0, 80))
socket.close()
