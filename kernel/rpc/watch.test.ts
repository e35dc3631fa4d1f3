import { equal, ok } from "node:assert/strict"
import { once } from "node:events"
import { WebSocket } from "ws"
import { type ScratchRpc, scratchRpc } from "./scratch.ts"

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("the watch over sockets", () => {
  let room: ScratchRpc
  const open = async (options: object = {}) => {
    const socket = new WebSocket(`${room.url.replace("http", "ws")}/ws`, options)
    await once(socket, "open")
    return socket
  }
  const connect = async (socket: WebSocket) => {
    socket.send(JSON.stringify({ type: "req", id: "1", method: "connect", params: { token: "viewer.ana" } }))
    await once(socket, "message")
    return socket
  }
  const endsWithin = async (socket: WebSocket, ms: number) => {
    if (socket.readyState === WebSocket.CLOSED) return true
    return Promise.race([once(socket, "close").then(() => true), wait(ms).then(() => false)])
  }
  afterEach(() => room.stop())

  it("pings, and keeps whoever answers", async () => {
    room = await scratchRpc({ timings: { pingMs: 30, idleMs: 120, lookMs: 10 } })
    const socket = await connect(await open())
    let pings = 0
    socket.on("ping", () => (pings += 1))
    equal(await endsWithin(socket, 400), false)
    ok(pings >= 5, String(pings))
    socket.terminate()
  })

  it("ends a socket that is silent for too long", async () => {
    room = await scratchRpc({ timings: { pingMs: 30, idleMs: 120, lookMs: 10 } })
    const socket = await connect(await open({ autoPong: false }))
    equal(await endsWithin(socket, 50), false)
    equal(await endsWithin(socket, 400), true)
    await wait(20)
    equal(room.rpc.connections().length, 0)
  })

  it("takes a message for a sign of life", async () => {
    room = await scratchRpc({ timings: { pingMs: 1_000, idleMs: 120, lookMs: 10 } })
    const socket = await connect(await open({ autoPong: false }))
    const talk = setInterval(() => socket.send("{}"), 40)
    equal(await endsWithin(socket, 300), false)
    clearInterval(talk)
    equal(await endsWithin(socket, 400), true)
  })

  it("ends a socket that does not say who it is in time", async () => {
    room = await scratchRpc({ timings: { connectMs: 80, lookMs: 10 } })
    const [stranger, refused, known] = [await open(), await open(), await connect(await open())]
    const busy = setInterval(() => refused.send(JSON.stringify({ type: "req", id: "1", method: "connect", params: { token: "wrong" } })), 20)
    equal(await endsWithin(stranger, 300), true)
    equal(await endsWithin(refused, 300), true)
    clearInterval(busy)
    equal(await endsWithin(known, 50), false)
    known.terminate()
  })
})
