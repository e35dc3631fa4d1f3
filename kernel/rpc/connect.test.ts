import { deepEqual, equal } from "node:assert/strict"
import { once } from "node:events"
import { openRpc } from "@plugboard/sdk/testing"
import { WebSocket } from "ws"
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

describe("a socket that connects", () => {
  let room: ScratchRpc
  afterEach(() => room.stop())

  const whoami = {
    handle: async (_: never, { caller, cliProfile }: { caller: { userId: string; role: string; tenantId: string }; cliProfile: boolean }) => ({ caller, cliProfile }),
  }

  it("gets all members of the greeting", async () => {
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

  it("is refused when it cannot be anybody, and stays open", async () => {
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

  it("again is somebody else from then on, in role, tenant and audience, unless that fails", async () => {
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

  it("gets nothing before the answer to connect", async () => {
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

  it("gets in order what it asked for behind connect without waiting", async () => {
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

  it("is known for the command-line client by what it says and leaves out", async () => {
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

  it("without credentials waits for its pairing, and may ask for the outcome and nothing else", async () => {
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

  it("is listed by who it is, with the address that it names", async () => {
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
