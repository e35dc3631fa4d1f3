import { deepEqual, equal, ok } from "node:assert/strict"
import { once } from "node:events"
import type { Socket } from "node:net"
import type { EventDecl } from "@plugboard/sdk"
import { WebSocket } from "ws"
import { type ScratchRpc, scratchRpc } from "./scratch.ts"

const flow: EventDecl["flow"] = { field: "type", key: "runId", merge: ["chunk", "thinking"], text: ["payload", "content"], keep: ["run.completed"] }
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Frame {
  type: string
  id?: string
  payload: { type: string; runId: string; payload?: { content: string } }
}
interface Client {
  socket: WebSocket
  frames: Frame[]
  ask(id: string, method: string, params?: object): void
}

describe("a socket whose client reads slowly", () => {
  let room: ScratchRpc
  let served: number
  const open_: WebSocket[] = []
  afterEach(async () => {
    for (const socket of open_.splice(0)) socket.terminate()
    await room.stop()
  })

  async function start(timings: NonNullable<Parameters<typeof scratchRpc>[0]>["timings"] = {}): Promise<void> {
    served = 0
    room = await scratchRpc({
      timings,
      events: { agent: { to: "user+admins", flow } },
      methods: {
        run: {
          handle: async ({ runId, pieces }: { runId: string; pieces: number }) => {
            const told = { tenantId: "t1", to: { userId: "ana" }, name: "agent" }
            for (let index = 0; index < pieces; index += 1) {
              room.bus.publish({ ...told, payload: { type: "chunk", runId, payload: { content: `${index} ` } } })
              if (index % 50 === 49) await wait(1)
            }
            room.bus.publish({ ...told, payload: { type: "run.completed", runId } })
            return { runId }
          },
        },
        blob: {
          handle: async ({ bytes }: { bytes: number }) => {
            served += 1
            return { text: "x".repeat(bytes) }
          },
        },
      },
    })
  }

  async function client(): Promise<Client> {
    const socket = new WebSocket(`${room.url.replace("http", "ws")}/ws`, { perMessageDeflate: false })
    open_.push(socket)
    await once(socket, "open")
    const frames: Frame[] = []
    const ask: Client["ask"] = (id, method, params = {}) => socket.send(JSON.stringify({ type: "req", id, method, params }))
    ask("c", "connect", { token: "viewer.ana.t1" })
    await once(socket, "message")
    socket.on("message", (data) => frames.push(JSON.parse(String(data))))
    return { socket, frames, ask }
  }

  /** Answers that nobody takes, until the operating system's buffers are full and the server's own as well. */
  async function clog({ socket, ask }: Client): Promise<void> {
    const server = room.sockets[open_.indexOf(socket)]
    socket.pause()
    for (let index = 0; index < 100 && (server?.writableLength ?? 0) < 256 << 10; index += 1) {
      ask(`clog ${index}`, "blob", { bytes: 400_000 })
      await wait(5)
    }
    ok((server?.writableLength ?? 0) >= 256 << 10)
  }

  const publish = (type: string, runId: string, content?: string) =>
    room.bus.publish({ name: "agent", payload: { type, runId, ...(content !== undefined && { payload: { content } }) }, tenantId: "t1", to: { userId: "ana" } })

  it("gets each text whole, each run in order, and every end", async () => {
    await start()
    const slow = await client()
    await clog(slow)
    for (let index = 0; index < 3_000; index += 1) {
      for (const run of ["a", "b", "c"]) publish("chunk", run, `${run}${index} `)
      if (index % 1_000 === 500) publish("tool.call", "b")
    }
    for (const run of ["a", "b", "c"]) publish("run.completed", run)
    slow.socket.resume()
    while (slow.frames.filter(({ payload }) => payload?.type === "run.completed").length < 3) await wait(5)
    for (const run of ["a", "b", "c"]) {
      const own = slow.frames.filter(({ payload }) => payload.runId === run).map(({ payload }) => payload)
      equal(own.map(({ payload }) => payload?.content ?? "").join(""), Array.from({ length: 3_000 }, (_, index) => `${run}${index} `).join(""))
      deepEqual(
        own.map(({ type }) => type),
        run === "b" ? ["chunk", "tool.call", "chunk", "tool.call", "chunk", "tool.call", "chunk", "run.completed"] : ["chunk", "run.completed"],
      )
    }
  })

  it("loses texts when there are too many, but no answer and no end", async () => {
    await start()
    const slow = await client()
    await clog(slow)
    for (let run = 0; run < 2_000; run += 1) {
      publish("chunk", `r${run}`, "x".repeat(5_000))
      publish("run.completed", `r${run}`)
    }
    slow.ask("last", "blob", { bytes: 1 })
    slow.socket.resume()
    while (!slow.frames.some(({ id }) => id === "last")) await wait(5)
    const ends = slow.frames.filter(({ payload }) => payload.type === "run.completed").map(({ payload }) => payload.runId)
    deepEqual(
      ends,
      Array.from({ length: 2_000 }, (_, run) => `r${run}`),
    )
    ok(slow.frames.filter(({ payload }) => payload.type === "chunk").length < 300)
    const asked = slow.frames.filter(({ type }) => type === "res").map(({ id }) => id)
    equal(asked.length, new Set(asked).size)
    equal(asked.filter((id) => id?.startsWith("clog")).length, asked.length - 1)
  })

  it("is not read from until it takes its answers", async () => {
    await start()
    const slow = await client()
    await clog(slow)
    await wait(50)
    const before = served
    for (let index = 0; index < 20; index += 1) slow.ask(`later ${index}`, "blob", { bytes: 10 })
    await wait(100)
    equal(served, before)
    slow.socket.resume()
    while (slow.frames.filter(({ id }) => id?.startsWith("later")).length < 20) await wait(5)
  })

  it("is ended when it takes nothing for too long, though it says that it lives", async () => {
    await start({ writeMs: 200, lookMs: 20 })
    const deaf = await client()
    await clog(deaf)
    const alive = setInterval(() => deaf.socket.ping(), 20)
    const server = room.sockets[0]
    if (!server?.destroyed) await once(server as NonNullable<typeof server>, "close")
    clearInterval(alive)
    equal(room.rpc.connections().length, 0)
  })

  it("stays when it takes a large answer bit by bit, however long that takes", async () => {
    const writeMs = 1_500
    await start({ writeMs, lookMs: 20 })
    const slow = await client()
    slow.ask("large", "blob", { bytes: 60_000_000 })
    // A megabyte, then a rest: 60 rests of 50 ms are longer than the limit, however fast the machine is.
    const wire = (slow.socket as unknown as { _socket: Socket })._socket
    let taken = 0
    let rests = 0
    wire.on("data", (bytes: Buffer) => {
      taken += bytes.length
      if (taken < 1 << 20) return
      taken = 0
      rests += 1
      slow.socket.pause()
      setTimeout(() => slow.socket.resume(), 50)
    })
    while (slow.frames.length === 0 && slow.socket.readyState === WebSocket.OPEN) await wait(10)
    equal(slow.frames[0]?.id, "large")
    ok(rests * 50 > writeMs, "it took longer than the limit for taking nothing")
  }).timeout(60_000)

  it("does not slow down the other sockets of its user: 64 that read, 10 that never do", async () => {
    await start()
    const deaf = await Promise.all(Array.from({ length: 10 }, client))
    for (const { socket } of deaf) socket.pause()
    const readers = await Promise.all(Array.from({ length: 64 }, client))
    const before = process.memoryUsage().rss
    const pieces = 100
    for (const [index, reader] of readers.entries()) reader.ask("run", "run", { runId: `r${index}`, pieces })
    for (const socket of deaf) socket.ask("run", "run", { runId: `deaf ${deaf.indexOf(socket)}`, pieces })
    while (readers.some(({ frames }) => !frames.some(({ id }) => id === "run"))) await wait(10)
    for (const [index, { frames }] of readers.entries()) {
      const own = frames.filter(({ payload, type }) => type === "event" && payload.runId === `r${index}`)
      equal(own.map(({ payload }) => payload.payload?.content ?? "").join(""), Array.from({ length: pieces }, (_, piece) => `${piece} `).join(""))
      const end = frames.findIndex(({ payload, type }) => type === "event" && payload.runId === `r${index}` && payload.type === "run.completed")
      ok(end >= 0 && end < frames.findIndex(({ id }) => id === "run"))
    }
    const grown = (process.memoryUsage().rss - before) >> 20
    ok(grown < 500, `${grown} MiB`)
  }).timeout(60_000)
})
