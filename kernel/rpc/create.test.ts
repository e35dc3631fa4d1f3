import { deepEqual, equal, match, ok } from "node:assert/strict"
import { once } from "node:events"
import { connect as dial } from "node:net"
import { openRpc } from "@plugboard/sdk/testing"
import { WebSocket } from "ws"
import { fail } from "../failures.ts"
import { masterTenantId } from "../tenancy.ts"
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

  describe("takes in who connects", () => {
    const whoami = {
      handle: async (_: never, { caller, cliProfile }: { caller: { userId: string; role: string; tenantId: string }; cliProfile: boolean }) => ({ caller, cliProfile }),
    }

    it("with all members of the greeting", async () => {
      room = await scratchRpc()
      const client = await openRpc(room.url)
      deepEqual(await client.call("connect", { token: "operator.ana", protocolVersion: 3 }), {
        protocol: 3,
        role: "operator",
        user_id: "ana",
        tenant_id: masterTenantId,
        tenant_name: "Master",
        tenant_slug: "master",
        is_owner: false,
        is_master_scope: true,
        cross_tenant: false,
        edition: "standard",
        server: { name: "goclaw", version: "0.0.0" },
      })
      const owner = await client.call("connect", { token: "owner.system.t2" })
      deepEqual([owner.is_owner, owner.is_master_scope, owner.cross_tenant], [true, true, true])
      equal((await client.call("connect", { token: "admin.root.t2" })).is_master_scope, false)
      client.close()
    })

    it("and refuses what cannot be anybody, leaving the socket open", async () => {
      room = await scratchRpc()
      const client = await openRpc(room.url)
      for (const [params, code] of [
        [{}, "UNAUTHORIZED"],
        [{ token: "wrong" }, "UNAUTHORIZED"],
        [{ token: "viewer.ana", user_id: "x".repeat(256) }, "INVALID_REQUEST"],
        [{ token: 7 }, "INVALID_REQUEST"],
      ] as const) {
        equal((await client.request("connect", params)).error?.code, code)
      }
      equal((await client.call("connect", { token: "viewer.ana", user_id: "x".repeat(255) })).role, "viewer")
      client.close()
    })

    it("again as somebody else, in role, tenant and audience, and keeps who was there when that fails", async () => {
      room = await scratchRpc({ methods: { whoami }, events: { note: { to: "user" } } })
      const client = await openRpc(room.url)
      const is = async () => {
        const { caller } = await client.call("whoami")
        return `${caller.role} ${caller.userId} ${caller.tenantId}`
      }
      await client.call("connect", { token: "admin.ana.t1" })
      equal(await is(), "admin ana t1")
      await client.call("connect", { token: "viewer.ben.t2" })
      equal(await is(), "viewer ben t2")
      equal((await client.request("connect", { token: "none" })).ok, false)
      equal(await is(), "viewer ben t2")
      for (const [tenantId, userId] of [
        ["t1", "ana"],
        ["t1", "ben"],
        ["t2", "ana"],
        ["t2", "ben"],
      ] as const) {
        room.bus.publish({ name: "note", payload: { tenantId, userId }, tenantId, to: { userId } })
      }
      await client.call("whoami")
      deepEqual(
        client.events.map(({ payload }) => payload),
        [{ tenantId: "t2", userId: "ben" }],
      )
      client.close()
    })

    it("and sends nothing before the answer to connect", async () => {
      room = await scratchRpc({
        events: { note: { to: "tenant" } },
        auth: {
          async tenant() {
            await wait(20)
            for (let index = 0; index < 3; index += 1) queueMicrotask(() => room.bus.publish({ name: "note", payload: {}, tenantId: masterTenantId }))
            return null
          },
        },
      })
      const busy = setInterval(() => room.bus.publish({ name: "note", payload: {}, tenantId: masterTenantId }), 1)
      const client = await wire(room.url)
      const first = await client.ask(request("1", "connect", { token: "admin.ana" }))
      clearInterval(busy)
      equal(first.type, "res")
    })

    it("and answers in order what was sent behind connect without waiting for it", async () => {
      room = await scratchRpc({ methods: { whoami }, auth: { tenant: () => wait(30).then(() => null) } })
      const client = await openRpc(room.url)
      const answers = await Promise.all([
        client.request("connect", { token: "viewer.ana" }),
        client.request("whoami"),
        client.request("connect", { token: "viewer.ben" }),
        client.request("whoami"),
        client.request("connect", { token: "nobody" }),
        client.request("whoami"),
      ])
      deepEqual(
        answers.map(({ ok: success, payload }) => (success ? (payload.user_id ?? payload.caller.userId) : "refused")),
        ["ana", "ana", "ben", "ben", "refused", "ben"],
      )
      client.close()
    })

    it("and knows the command-line client by what it says and leaves out", async () => {
      room = await scratchRpc({ methods: { whoami } })
      const client = await openRpc(room.url)
      for (const [params, cli] of [
        [{ user_id: "cli" }, true],
        [{ user_id: "cli-user" }, true],
        [{ user_id: "cli", locale: "en" }, false],
        [{ user_id: "cli", protocolVersion: 3 }, false],
        [{ user_id: "cli", protocol: 3 }, false],
        [{ user_id: "ana" }, false],
        [{ user_id: "ana", locale: "en", profile: "cli" }, true],
      ] as const) {
        await client.call("connect", { token: "viewer.ana", ...params })
        equal((await client.call("whoami")).cliProfile, cli, JSON.stringify(params))
      }
      client.close()
    })

    it("and lets a socket without credentials wait for its pairing, which may ask for the outcome and nothing else", async () => {
      room = await scratchRpc({
        pairing: { request: async ({ userId }) => ({ pairing_code: "ABCDEFGH", sender_id: `of ${userId}` }) },
        methods: { outcome: { decl: { before: "connect" }, handle: async () => ({ status: "pending" }) }, whoami },
        events: { note: { to: "all" } },
        timings: { connectMs: 50, lookMs: 10 },
      })
      const client = await openRpc(room.url)
      deepEqual(await client.call("connect", { user_id: "cli-user" }), {
        protocol: 3,
        status: "pending_pairing",
        pairing_code: "ABCDEFGH",
        sender_id: "of cli-user",
        server: { name: "goclaw", version: "0.0.0" },
      })
      room.bus.publish({ name: "note", payload: {}, tenantId: null })
      await wait(120)
      deepEqual(await client.call("outcome"), { status: "pending" })
      equal((await client.request("whoami")).error?.code, "UNAUTHORIZED")
      equal((await client.request("connect", { token: "wrong" })).error?.code, "UNAUTHORIZED")
      deepEqual([client.events.length, room.rpc.connections().length], [0, 0])
      client.close()
    })

    it("and lists them by who they are, with the address that they name", async () => {
      room = await scratchRpc()
      const named = await wire(room.url, { "x-forwarded-for": "203.0.113.7, 10.0.0.1" })
      const plain = await wire(room.url)
      await wire(room.url, { "x-real-ip": "203.0.113.9" })
      await named.ask(request("1", "connect", { token: "viewer.ana.t1" }))
      await plain.ask(request("1", "connect", { token: "admin.ben.t2" }))
      deepEqual(
        room.rpc.connections().map(({ remoteAddr, userId, role, tenantId }) => ({ remoteAddr, userId, role, tenantId })),
        [
          { remoteAddr: "203.0.113.7", userId: "ana", role: "viewer", tenantId: "t1" },
          { remoteAddr: "127.0.0.1", userId: "ben", role: "admin", tenantId: "t2" },
        ],
      )
    })
  })

  describe("lets go of", () => {
    it("the sockets of a key that was revoked, at once and also while they come in, and begins nothing more for them", async () => {
      let began = 0
      room = await scratchRpc({
        methods: {
          slow: {
            decl: { order: "name" },
            handle: async () => {
              began += 1
              await wait(60)
            },
          },
        },
        auth: { tenant: () => wait(40).then(() => null) },
      })
      const revoked = await openRpc(room.url)
      const [other, entering] = await Promise.all([openRpc(room.url), openRpc(room.url)])
      await Promise.all([revoked.call("connect", { token: "viewer.ana" }), other.call("connect", { token: "viewer.ben" })])
      const calls = [revoked.request("slow", { name: "x" }), revoked.request("slow", { name: "x" })]
      const coming = entering.request("connect", { token: "viewer.ana" })
      await wait(15)
      room.revoke("viewer.ana")
      // As from a client that does not care that it was told to go: a text frame with a mask of zeros.
      const call = Buffer.from(request("9", "slow"))
      room.sockets[0]?.emit("data", Buffer.concat([Buffer.from([0x81, 0x80 | call.length, 0, 0, 0, 0]), call]))
      equal(await revoked.closed, 1000)
      equal(await entering.closed, 1000)
      equal((await coming).ok, false)
      await Promise.all(calls)
      await wait(100)
      equal(began, 1)
      equal((await other.request("slow")).ok, true)
      other.close()
    })

    it("callers that are picked, and tells running calls that the socket has closed", async () => {
      let ended = false
      room = await scratchRpc({
        methods: {
          waits: {
            handle: (_, { closed }) =>
              new Promise((resolve) => {
                closed.addEventListener("abort", () => {
                  ended = true
                  resolve({})
                })
              }),
          },
        },
      })
      const [ana, ben] = await Promise.all([openRpc(room.url), openRpc(room.url)])
      await ana.call("connect", { token: "viewer.ana.t1" })
      await ben.call("connect", { token: "viewer.ben.t2" })
      void ana.request("waits")
      await ben.call("connect", { token: "viewer.ben.t2" })
      room.rpc.closeWhere(({ tenantId }) => tenantId === "t1")
      equal(await ana.closed, 1000)
      await wait(20)
      equal(ended, true)
      equal(room.rpc.connections().length, 1)
      ben.close()
    })

    it("everybody when the gateway stops, with a word before", async () => {
      room = await scratchRpc({ methods: { waits: { handle: (_, { closed }) => new Promise((resolve) => closed.addEventListener("abort", () => resolve({ until: "stop" }))) } } })
      const client = await openRpc(room.url)
      const stranger = await wire(room.url)
      await client.call("connect", { token: "viewer.ana" })
      const answer = client.request("waits")
      await wait(10)
      await room.rpc.closeAll()
      equal(await client.closed, 1001)
      deepEqual(client.events, [{ type: "event", event: "shutdown" }])
      deepEqual((await answer).payload, { until: "stop" })
      equal(stranger.socket.readyState >= WebSocket.CLOSING, true)
    })

    it("somebody who does not close when told to, after the time for it", async () => {
      room = await scratchRpc({ timings: { closeMs: 100 } })
      const socket = dial(Number(new URL(room.url).port), "127.0.0.1")
      socket.write("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
      await once(socket, "data")
      const started = performance.now()
      await room.rpc.closeAll()
      ok(performance.now() - started < 1_000)
      await once(socket, "close")
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

    it("from the origins that may, and closes the connection of others", async () => {
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
