import { deepEqual, equal } from "node:assert/strict"
import { once } from "node:events"
import { connect as dial } from "node:net"
import { openRpc } from "@plugboard/sdk/testing"
import { type ScratchRpc, scratchRpc } from "./scratch.ts"

const request = (id: unknown, method: string, params: object = {}) => JSON.stringify({ type: "req", id, method, params })
/** A short text frame of a client. */
const maskedByZeros = (text: string) => Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)])
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("the socket side lets go of", () => {
  let room: ScratchRpc
  afterEach(() => room.stop())

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
    // As from a client that does not care that it was told to go.
    room.sockets[0]?.emit("data", maskedByZeros(request("9", "slow")))
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
    const stranger = await openRpc(room.url)
    await client.call("connect", { token: "viewer.ana" })
    const answer = client.request("waits")
    await wait(10)
    await room.rpc.closeAll()
    equal(await client.closed, 1001)
    deepEqual(client.events, [{ type: "event", event: "shutdown" }])
    deepEqual((await answer).payload, { until: "stop" })
    equal(await stranger.closed, 1001)
    equal(stranger.events.length, 0)
  })

  it("somebody who does not close when told to, after the time for it, and begins nothing meanwhile", async () => {
    let began = 0
    room = await scratchRpc({
      timings: { closeMs: 100 },
      methods: {
        work: {
          handle: async () => {
            began += 1
          },
        },
      },
    })
    const socket = dial(Number(new URL(room.url).port), "127.0.0.1")
    const say = async (text: string) => {
      socket.write(maskedByZeros(text))
      await wait(20)
    }
    socket.write("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    await once(socket, "data")
    await say(request("1", "connect", { token: "viewer.ana" }))
    await say(request("2", "work"))
    const closing = room.rpc.closeAll()
    await wait(40)
    await say(request("3", "work"))
    await closing
    equal(began, 1)
    if (!socket.closed) await once(socket, "close")
  })
})
