import { deepEqual, equal, match, ok } from "node:assert/strict"
import { once } from "node:events"
import { connect as dial } from "node:net"
import { openRpc } from "@plugboard/sdk/testing"
import { WebSocket } from "ws"
import { fail } from "../failures.ts"
import { type ScratchRpc, scratchRpc } from "./scratch.ts"

interface Wire {
  socket: WebSocket
  /** Sends as it is, and answers the next frame that comes. */
  ask(data: string | Buffer): Promise<Record<string, unknown>>
}

async function wire(url: string, headers: Record<string, string> = {}): Promise<Wire> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, { headers })
  await once(socket, "open")
  return {
    socket,
    async ask(data) {
      const answer = once(socket, "message")
      socket.send(data, { binary: Buffer.isBuffer(data) })
      const [text] = await answer
      return JSON.parse(String(text))
    },
  }
}
const request = (id: unknown, method: string, params: object = {}) => JSON.stringify({ type: "req", id, method, params })
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("the socket side", () => {
  let room: ScratchRpc
  afterEach(() => room.stop())

  describe("answers frames", () => {
    beforeEach(async () => {
      room = await scratchRpc({
        methods: {
          echo: { handle: async (params) => params },
          broken: { handle: () => Promise.reject(new Error("the cable is cut")) },
          cyclic: {
            handle: async () => {
              const payload: Record<string, unknown> = {}
              payload.self = payload
              return payload
            },
          },
          nothing: { handle: async () => undefined },
        },
      })
    })
    const error = async ({ ask }: Wire, data: string) => {
      const { id, ok: success, error: told } = await ask(data)
      equal(success, false)
      return { id, ...(told as { code: string; message: string }) }
    }

    it("that cannot be read, with the id where there is one, and serves on", async () => {
      const client = await wire(room.url)
      const cases: [text: string, id: string | number, says: RegExp][] = [
        ["not json", "", /not JSON/],
        ['{"id":"1"}', "", /no type/],
        ['{"type":"res","id":"1"}', "", /"res"/],
        ['{"type":"req","id":"9"}', "9", /no method/],
        ['{"type":"req","id":9,"method":1}', 9, /no method/],
      ]
      for (const [text, id, says] of cases) {
        const told = await error(client, text)
        deepEqual([told.id, told.code], [id, "INVALID_REQUEST"])
        match(told.message, says)
      }
      equal((await client.ask(request("1", "connect", { token: "viewer.ana" }))).ok, true)
    })

    it("before connect by telling to connect first, whether the method exists or not", async () => {
      const client = await wire(room.url)
      for (const method of ["echo", "no.such.method"]) {
        const told = await error(client, request("1", method))
        equal(told.code, "UNAUTHORIZED")
        match(told.message, /connect/)
      }
    })

    it("to an unknown method by naming it", async () => {
      const client = await wire(room.url)
      await client.ask(request(1, "connect", { token: "viewer.ana" }))
      const told = await error(client, request(2, "no.such.method"))
      deepEqual([told.id, told.code], [2, "INVALID_REQUEST"])
      match(told.message, /no\.such\.method/)
    })

    it("with the id as it was sent, as a number or a text", async () => {
      const client = await wire(room.url)
      await client.ask(request(1, "connect", { token: "viewer.ana" }))
      for (const id of [0, 42, 1.5, "42", "req-9-1770000000000"]) equal((await client.ask(request(id, "echo"))).id, id)
    })

    it("of binary messages as if they were text", async () => {
      const client = await wire(room.url)
      equal((await client.ask(Buffer.from(request(1, "connect", { token: "viewer.ana" })))).ok, true)
      deepEqual((await client.ask(Buffer.from(request(2, "echo", { text: "xin chào" })))).payload, { text: "xin chào" })
    })

    it("of up to 512 KiB, and closes the socket with 1009 above that", async () => {
      const client = await wire(room.url)
      await client.ask(request("1", "connect", { token: "viewer.ana" }))
      const around = request("1", "echo", { text: "" }).length
      equal((await client.ask(request("1", "echo", { text: "x".repeat(524_288 - around) }))).ok, true)
      client.socket.send(request("1", "echo", { text: "x".repeat(524_289 - around) }))
      const [code] = await once(client.socket, "close")
      equal(code, 1009)
      equal((await (await wire(room.url)).ask(request("1", "connect", { token: "viewer.ana" }))).ok, true)
    })

    it("with large and odd payloads whole", async () => {
      const client = await openRpc(room.url)
      await client.call("connect", { token: "viewer.ana" })
      for (const text of ["", "x".repeat(90), "x".repeat(70_000), "🙂".repeat(40_000)]) deepEqual(await client.call("echo", { text }), { text })
      deepEqual(await client.call("nothing"), {})
      client.close()
    })

    it("of a handler that fails with an id that stands in the log, and nothing else", async () => {
      const client = await openRpc(room.url)
      await client.call("connect", { token: "viewer.ana" })
      for (const method of ["broken", "cyclic"]) {
        const { error: told } = await client.request(method)
        equal(told?.code, "INTERNAL")
        ok(!told?.message.includes("cable"))
        const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(told?.message ?? "")?.[0] as string
        ok(room.logs.some((line) => line.includes(id) && line.includes(method)))
      }
      client.close()
    })

    it("in the language of the connection", async () => {
      const said = await Promise.all(
        ["en", "vi", "zh-CN", "fr"].map(async (locale) => {
          const client = await openRpc(room.url)
          const { error: told } = await client.request("connect", { token: "none", locale })
          client.close()
          return told?.message
        }),
      )
      equal(new Set(said).size, 3)
      equal(said[0], said[3])
    })
  })

  describe("takes an upgrade", () => {
    const upgrade = async (line: string, headers: Record<string, string> = {}) => {
      const socket = dial(Number(new URL(room.url).port), "127.0.0.1")
      const all = { Host: "x", Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", ...headers }
      socket.write(
        `${line}\r\n${Object.entries(all)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join("")}\r\n`,
      )
      const [data] = await once(socket, "data")
      const status = Number(String(data).split(" ")[1])
      if (status === 101) socket.destroy()
      else await once(socket, "close")
      return status
    }

    it("at /ws alone, whatever the address looks like", async () => {
      room = await scratchRpc()
      for (const path of ["/", "/v1/ws", "//", "//ws", "/ws/", "http://", "/%", "*"]) equal(await upgrade(`GET ${path} HTTP/1.1`), 404, path)
      for (const path of ["/ws", "/ws?x=1"]) equal(await upgrade(`GET ${path} HTTP/1.1`), 101, path)
      equal(await upgrade("POST /ws HTTP/1.1"), 405)
      equal(await upgrade("GET /ws HTTP/1.1", { "Sec-WebSocket-Version": "12" }), 400)
    })

    it("or ends the connection, also of a client that would keep its side open", async () => {
      room = await scratchRpc()
      const socket = dial({ port: Number(new URL(room.url).port), host: "127.0.0.1", allowHalfOpen: true })
      socket.write("GET /elsewhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      await once(socket, "data")
      await wait(20)
      equal(room.sockets[0]?.destroyed, true)
      socket.destroy()
    })

    it("from the origins that may, and refuses others", async () => {
      room = await scratchRpc({ config: { allowedOrigins: ["https://app.example"], token: "on" } })
      equal(await upgrade("GET /ws HTTP/1.1", { Origin: "https://app.example" }), 101)
      equal(await upgrade("GET /ws HTTP/1.1", { Origin: "https://evil.example" }), 403)
      equal(await upgrade("GET /ws HTTP/1.1"), 101)
    })

    it("of no more than 64 from one address that have not said who they are", async () => {
      room = await scratchRpc()
      const strangers = await Promise.all(Array.from({ length: 64 }, () => wire(room.url)))
      equal(await upgrade("GET /ws HTTP/1.1"), 503)
      await strangers[0]?.ask(request("1", "connect", { token: "viewer.ana" }))
      equal(await upgrade("GET /ws HTTP/1.1"), 101)
      for (const { socket } of strangers) socket.terminate()
      await wait(50)
      equal(await upgrade("GET /ws HTTP/1.1"), 101)
    })

    it("no more once the gateway stops", async () => {
      room = await scratchRpc({ stopping: AbortSignal.abort() })
      equal(await upgrade("GET /ws HTTP/1.1"), 503)
    })
  })

  it("tells a database that is away as what it is", async () => {
    room = await scratchRpc({ auth: { resolve: () => Promise.reject(fail("database_unavailable", {}, { retryAfterMs: 1_000 })) } })
    const client = await openRpc(room.url)
    const { error: told } = await client.request("connect", { token: "viewer.ana" })
    deepEqual([told?.code, told?.retryable, told?.retryAfterMs], ["UNAVAILABLE", true, 1_000])
    client.close()
  })
})
