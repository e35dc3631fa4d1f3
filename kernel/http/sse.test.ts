import { deepEqual, equal, match, ok } from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { type RouteDecl, type RouteRequest, reply, type SseFrame, sse } from "@plugboard/sdk"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"
import { sendSse } from "./sse.ts"

const event = sse(Type.Object({}))
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** An iterator that has nothing but `next`. */
function failingAfter(ms: number, error: Error): AsyncIterable<readonly SseFrame[]> {
  return { [Symbol.asyncIterator]: () => ({ next: () => pause(ms).then(() => Promise.reject(error)) }) }
}

describe("server-sent events", () => {
  let room: ScratchHttp
  const watch = { pulled: 0, returned: 0, aborted: 0 }
  before(async () => {
    const streams: Record<string, (request: RouteRequest<RouteDecl>) => AsyncIterable<readonly SseFrame[]>> = {
      async *plain() {
        yield [{ data: { n: 1 } }, { data: "two\nlines\r\nand\rmore" }, { data: undefined }]
        yield []
        yield [{ event: "named\nx: y", id: "7", data: "[DONE]" }]
      },
      async *spaced() {
        const batch = Array.from({ length: 50 }, (_, n) => ({ data: n }))
        yield batch
        await pause(20)
        yield batch
      },
      early: () => failingAfter(0, fail("unavailable", {}, { retryAfterMs: 3_000 })),
      async *late() {
        yield [{ data: 1 }]
        throw fail("too_slow", { ms: 1 })
      },
      async *broken() {
        yield [{ data: 1 }]
        throw new Error("secret of the upstream")
      },
      async *unwritable() {
        try {
          yield [{ data: 1 }]
          yield [{ data: 1n }]
        } finally {
          watch.returned += 1
        }
      },
      async *nothing() {},
      async *endless() {
        try {
          for (;;) {
            watch.pulled += 1
            yield [{ data: "x".repeat(100_000) }]
          }
        } finally {
          watch.returned += 1
        }
      },
      async *waiting({ signal }) {
        yield [{ data: 1 }]
        await new Promise<void>((_, reject) =>
          signal.addEventListener("abort", () => {
            watch.aborted += 1
            reject(signal.reason as Error)
          }),
        )
      },
    }
    const route = (path: string, errors?: "openai"): { decl: RouteDecl; handle: (request: RouteRequest<RouteDecl>) => unknown } => ({
      decl: { method: "GET", path, role: "viewer", summary: "A stream", reply: event, errors },
      handle: (request) => reply.sse((streams[(request.params as { name: string }).name] as (typeof streams)[string])(request), { "x-run": "r" }),
    })
    room = await scratchHttp({ plain: route("/events/:name"), openai: route("/openai/:name", "openai") })
  })
  beforeEach(() => Object.assign(watch, { pulled: 0, returned: 0, aborted: 0 }))
  after(() => room.close())
  const viewer = { authorization: "Bearer viewer" }
  const get = (path: string, method = "GET") => fetch(room.url + path, { headers: viewer, method })
  const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer viewer\r\n\r\n`

  it("are frames with the headers that proxies need", async () => {
    const response = await get("/events/plain")
    deepEqual(
      ["content-type", "cache-control", "x-accel-buffering", "x-run", "content-length"].map((name) => response.headers.get(name)),
      ["text/event-stream", "no-cache", "no", "r", null],
    )
    equal(await response.text(), 'data: {"n":1}\n\ndata: two\ndata: lines\ndata: and\ndata: more\n\ndata: null\n\nevent: named x: y\nid: 7\ndata: [DONE]\n\n')
  })

  it("of one batch are one write", async () => {
    const answer = await room.send(`${ask("/events/spaced").slice(0, -2)}Connection: close\r\n\r\n`)
    const frames = Array.from({ length: 50 }, (_, n) => `data: ${n}\n\n`).join("")
    const chunk = `${frames.length.toString(16)}\r\n${frames}\r\n`
    equal(answer.slice(answer.indexOf("\r\n\r\n") + 4), `${chunk}${chunk}0\r\n\r\n`)
  })

  it("that fail before the first batch are a status", async () => {
    const response = await get("/events/early")
    deepEqual([response.status, response.headers.get("retry-after"), ((await response.json()) as { code: string }).code], [503, "3", "UNAVAILABLE"])
    deepEqual(Object.keys(((await (await get("/openai/early")).json()) as { error: object }).error), ["message", "type", "param", "code"])
  })

  it("that fail in mid-stream say so in the last frame, and end", async () => {
    const common = await (await get("/events/late")).text()
    match(common, /^data: 1\n\nevent: error\ndata: \{"error":"[^"]+","code":"AGENT_TIMEOUT"\}\n\n$/)
    match(await (await get("/openai/late")).text(), /^data: 1\n\ndata: \{"error":\{"message":"[^"]+","type":"server_error","param":null,"code":"internal_error"\}\}\n\n$/)
    const broken = await (await get("/openai/broken")).text()
    ok(!broken.includes("secret"))
    const [, id] = /this id[^:]*: ([0-9a-f-]+)/.exec(broken) ?? []
    ok(id && room.logs.some((line) => line.includes(id) && line.includes("secret of the upstream")))
  })

  it("that cannot be written end their source", async () => {
    match(await (await get("/events/unwritable")).text(), /event: error/)
    equal(watch.returned, 1)
  })

  it("may be none: the stream is empty", async () => {
    const response = await get("/events/nothing")
    deepEqual([response.status, await response.text()], [200, ""])
  })

  it("answer HEAD with the headers, and end their source", async () => {
    const response = await get("/events/endless", "HEAD")
    deepEqual([response.status, response.headers.get("content-type"), watch.pulled], [200, "text/event-stream", 0])
  })

  it("are pulled only while the client reads", async () => {
    const socket = await room.open()
    socket.pause()
    socket.write(ask("/events/endless"))
    await pause(300)
    const held = watch.pulled
    await pause(200)
    equal(watch.pulled, held)
    ok(held > 0 && held < 200, `${held} pulled`)
    socket.resume()
    await pause(200)
    ok(watch.pulled > held)
    socket.destroy()
    await pause(50)
    equal(watch.returned, 1)
  })

  it("pause and go on many times without leaving listeners behind", async () => {
    const warnings: Error[] = []
    const remember = (warning: Error) => warnings.push(warning)
    process.on("warning", remember)
    const response = await get("/events/endless")
    let bytes = 0
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += part.length
      if (bytes > 20_000_000) break
    }
    await pause(50)
    process.off("warning", remember)
    deepEqual([warnings, watch.returned], [[], 1])
  })

  it("end their source and its signal at once when the client leaves", async () => {
    for (const path of ["/events/waiting", "/openai/waiting"]) {
      const socket = await room.open()
      socket.write(ask(path))
      while (!String(await new Promise((resolve) => socket.once("data", resolve))).includes("data: 1"));
      const before = watch.aborted
      socket.destroy()
      // The signal of its source ends.
      while (watch.aborted === before) await pause(1)
    }
    await pause(20)
    ok(!room.logs.some((line) => line.includes("client is gone") && /"level":(40|50)/.test(line)))
  })
})

describe("the clock of a stream", () => {
  async function streamTo(frames: () => AsyncIterable<readonly SseFrame[]>, times: { pingMs: number; patienceMs: number; stalledMs: number }, read = true): Promise<string> {
    const server = createServer(
      (request, response) =>
        void sendSse(response, { answer: "sse", frames: frames() }, { head: request.method === "HEAD", headers: {}, describe: () => ({ data: "failed" }), times }),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1")
    let text = ""
    if (read) socket.on("data", (part) => (text += String(part)))
    else socket.pause()
    socket.on("error", () => undefined)
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    // The server's end of it: what is in the buffers of a paused one still would keep that from closing.
    const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
    await once(server, "connection")
    while ((await connections()) > 0) await pause(5)
    socket.destroy()
    server.closeAllConnections()
    server.close()
    return text
  }
  async function* quiet(ms: number): AsyncGenerator<SseFrame[]> {
    await pause(ms)
    yield [{ data: "late" }]
    await pause(ms)
  }

  it("says ping in silence, and sends headers before the first batch when that takes long", async () => {
    const text = await streamTo(() => quiet(250), { pingMs: 100, patienceMs: 30, stalledMs: 10_000 })
    match(text, /200 OK[\s\S]*: ping[\s\S]*: ping[\s\S]*data: late[\s\S]*: ping/)
  })

  it("tells a failure after such a ping as a frame", async () => {
    const failing = () => failingAfter(100, new Error("too late for a status"))
    match(await streamTo(failing, { pingMs: 1_000, patienceMs: 30, stalledMs: 10_000 }), /: ping[\s\S]*data: failed/)
  })

  it("lets a client go that takes nothing for too long", async () => {
    async function* much(): AsyncGenerator<SseFrame[]> {
      for (;;) yield [{ data: "x".repeat(1_000_000) }]
    }
    equal(await streamTo(much, { pingMs: 1_000, patienceMs: 1_000, stalledMs: 200 }, false), "")
  })
})
