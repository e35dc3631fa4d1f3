import { WebSocket } from "ws"
import type { Running } from "../processes.ts"
import { cpuMs, residentMiB } from "./cpu.ts"

type Print = (what: string, value: string) => void

async function connected(gateway: Running, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.url.replace(/^http/, "ws")}/ws`, { perMessageDeflate: false })
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve())
    socket.once("error", reject)
  })
  await ask(socket, "1", "connect", { token, user_id: "bench" })
  return socket
}

function ask(socket: WebSocket, id: string, method: string, params: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const listen = (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { id?: string; ok?: boolean; error?: { message: string } }
      if (frame.id !== id) return
      socket.off("message", listen)
      if (frame.ok) resolve()
      else reject(new Error(frame.error?.message))
    }
    socket.on("message", listen)
    socket.send(JSON.stringify({ type: "req", id, method, params }))
  })
}

/** A cheap read, one call at a time on each of 16 sockets. */
export async function measureRpc(gateway: Running, token: string, calls: number, print: Print): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 16 }, () => connected(gateway, token)))
  const before = cpuMs(gateway.pid)
  const started = performance.now()
  let left = calls
  await Promise.all(
    sockets.map(async (socket) => {
      while (left-- > 0) await ask(socket, `c${left}`, "agents.list", {})
    }),
  )
  const ms = performance.now() - started
  print("RPC agents.list", `${((calls / ms) * 1_000).toFixed(0)} calls/s, ${((cpuMs(gateway.pid) - before) / calls).toFixed(3)} CPU-ms a call`)
  for (const socket of sockets) socket.close()
}

/** Resident memory per socket that has connected and says nothing. */
export async function measureIdleSockets(gateway: Running, token: string, count: number, print: Print): Promise<void> {
  const before = residentMiB(gateway.pid)
  const sockets: WebSocket[] = []
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => connected(gateway, token)))))
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  print(`memory per idle WebSocket (${sockets.length})`, `${(((residentMiB(gateway.pid) - before) * 1024) / sockets.length).toFixed(1)} KiB`)
  for (const socket of sockets) socket.terminate()
}
