import { deepEqual, equal, match, ok } from "node:assert/strict"
import { once } from "node:events"
import type { RpcCall } from "@plugboard/sdk"
import { openRpc, type RpcClient } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { WebSocket } from "ws"
import { fail } from "../failures.ts"
import { type ScratchRpc, scratchRpc } from "./scratch.ts"

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("calls on a socket", () => {
  let room: ScratchRpc
  afterEach(() => room.stop())

  async function client(token = "operator.ana.t1"): Promise<RpcClient> {
    const socket = await openRpc(room.url)
    await socket.call("connect", { token })
    return socket
  }

  describe("in time", () => {
    const steps: string[] = []
    const Params = Type.Object({ name: Type.String(), sessionKey: Type.Optional(Type.String()), ms: Type.Integer({ default: 0 }), bad: Type.Boolean({ default: false }) })
    const handle = async ({ name, ms, bad }: { name: string; ms: number; bad: boolean }) => {
      steps.push(`${name} begins`)
      await wait(ms)
      steps.push(`${name} ends`)
      if (bad) throw new Error("bad")
      return { name }
    }
    beforeEach(async () => {
      steps.length = 0
      room = await scratchRpc({
        methods: {
          free: { decl: { params: Params }, handle },
          write: { decl: { params: Params, order: "sessionKey" }, handle },
          erase: { decl: { params: Params, order: "sessionKey" }, handle },
        },
      })
    })

    it("begin as they came and run beside each other: a slow one holds none", async () => {
      const socket = await client()
      const slow = socket.request("free", { name: "a", ms: 60 })
      await Promise.all([socket.request("write", { name: "b", sessionKey: "s" }), socket.request("free", { name: "c" })])
      deepEqual(
        steps.filter((step) => step.endsWith("begins")),
        ["a begins", "b begins", "c begins"],
      )
      ok(!steps.includes("a ends"))
      await slow
      socket.close()
    })

    it("that change one object run one after the other, whatever its name is spelled like and also when one fails", async () => {
      const socket = await client()
      await Promise.all([
        socket.request("write", { name: "a", sessionKey: "s", ms: 30, bad: true }),
        socket.request("erase", { name: "b", session_key: "s", ms: 20 }),
        socket.request("write", { name: "c", sessionKey: "s" }),
      ])
      deepEqual(steps, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"])
      socket.close()
    })

    it("that name different objects, or none, do not wait for each other", async () => {
      const socket = await client()
      await Promise.all(["s", "t", undefined, undefined].map((sessionKey, index) => socket.request("write", { name: String(index), sessionKey, ms: 30 })))
      deepEqual(steps.slice(0, 4), ["0 begins", "1 begins", "2 begins", "3 begins"])
      socket.close()
    })

    it("of different sockets do not wait for each other", async () => {
      const [one, other] = [await client(), await client()]
      const slow = one.request("write", { name: "a", sessionKey: "s", ms: 60 })
      await other.request("write", { name: "b", sessionKey: "s" })
      ok(!steps.includes("a ends"))
      await slow
      one.close()
      other.close()
    })

    it("are answered once each", async () => {
      const socket = new WebSocket(`${room.url.replace("http", "ws")}/ws`)
      await once(socket, "open")
      const answers = new Map<string, number>()
      socket.on("message", (data) => {
        const { id } = JSON.parse(String(data))
        answers.set(id, (answers.get(id) ?? 0) + 1)
      })
      socket.send(JSON.stringify({ type: "req", id: "c", method: "connect", params: { token: "viewer.ana" } }))
      for (let index = 0; index < 2_000; index += 1) {
        socket.send(
          JSON.stringify({
            type: "req",
            id: `r${index}`,
            method: ["free", "write", "none"][index % 3],
            params: { name: "x", sessionKey: `s${index % 7}`, bad: index % 5 === 0, ...(index % 11 === 0 && { ms: "soon" }) },
          }),
        )
      }
      while (answers.size < 2_001) await wait(10)
      await wait(50)
      deepEqual([...new Set(answers.values())], [1])
      socket.terminate()
    })
  })

  describe("in number", () => {
    let begun = 0
    let open: () => void
    beforeEach(async () => {
      begun = 0
      const gate = new Promise<void>((resolve) => (open = resolve))
      room = await scratchRpc({
        methods: {
          hold: {
            handle: async () => {
              begun += 1
              await gate
              return {}
            },
          },
        },
      })
    })
    async function flood(count: number, size: number): Promise<number> {
      const socket = await client()
      const answers = Array.from({ length: count }, () => socket.request("hold", { text: "x".repeat(size) }))
      await wait(200)
      const atOnce = begun
      open()
      equal((await Promise.all(answers)).filter((answer) => answer.ok).length, count)
      socket.close()
      return atOnce
    }

    it("beyond 256 wait, and are answered in the end", async () => equal(await flood(3_000, 1), 256))
    it("beyond 4 MiB of requests wait, and are answered in the end", async () => equal(await flood(40, 500_000), 9))
  })

  it("are refused to those below the role, which is named", async () => {
    room = await scratchRpc({ methods: { rule: { decl: { role: "admin" }, handle: async () => ({}) } } })
    const socket = await client("operator.ana")
    const { error } = await socket.request("rule")
    equal(error?.code, "UNAUTHORIZED")
    match(error?.message ?? "", /admin/)
    equal((await (await client("admin.ana")).request("rule")).ok, true)
    socket.close()
  })

  it("are refused with what does not fit", async () => {
    room = await scratchRpc({ methods: { take: { decl: { params: Type.Object({ count: Type.Integer() }) }, handle: async (params) => params } } })
    const socket = await client()
    const { error } = await socket.request("take", { count: "many" })
    equal(error?.code, "INVALID_REQUEST")
    deepEqual(
      ((error?.details ?? []) as { path: string; rule: string }[]).map(({ path, rule }) => [path, rule]),
      [["/count", "type"]],
    )
    deepEqual(await socket.call("take", { count: 1, more: true }), { count: 1, more: true })
    socket.close()
  })

  it("spend the budget of their user, of that tenant alone, where the method says so", async () => {
    const spent: string[] = []
    const spend = (key: string) => {
      spent.push(key)
      return spent.length > 1 ? 1_500 : 0
    }
    room = await scratchRpc({ auth: { spend }, methods: { costly: { decl: { limits: { rate: true } }, handle: async () => ({}) }, cheap: { handle: async () => ({}) } } })
    const socket = await client("operator.ana.t1")
    await socket.call("costly")
    await socket.call("cheap")
    const { error } = await socket.request("costly")
    deepEqual([error?.code, error?.retryable, error?.retryAfterMs], ["RESOURCE_EXHAUSTED", true, 1_500])
    await (await client("operator.ana.t2")).request("costly")
    deepEqual([spent.length, new Set(spent).size], [3, 2])
    socket.close()
  })

  it("are denied by whoever taps the door", async () => {
    room = await scratchRpc({
      authorized: async (name, { userId }) => {
        if (name === "work" && userId === "ana") throw fail("denied", { reason: "it is Sunday" })
      },
      methods: { work: { handle: async () => ({}) } },
    })
    match((await (await client("viewer.ana")).request("work")).error?.message ?? "", /Sunday/)
    equal((await (await client("viewer.ben")).request("work")).ok, true)
  })

  it("that take too long are told so, and what they answer later is not sent", async () => {
    room = await scratchRpc({
      methods: {
        slow: { decl: { limits: { timeoutMs: 30 } }, handle: () => wait(60).then(() => ({})) },
        quick: { decl: { limits: { timeoutMs: 1_000 } }, handle: async () => ({}) },
      },
    })
    const socket = await client()
    equal((await socket.request("slow")).error?.code, "AGENT_TIMEOUT")
    await wait(60)
    equal((await socket.request("quick")).ok, true)
    socket.close()
  })

  it("do their later work behind the answer, also when it is asked for too late or fails", async () => {
    const done: string[] = []
    room = await scratchRpc({
      methods: {
        work: {
          handle: async (_, call) => {
            call.after(async () => void done.push("after"))
            call.after(() => Promise.reject(new Error("too tired")))
            setTimeout(() => call.after(async () => void done.push("late")), 20)
            done.push("answer")
            return {}
          },
        },
      },
    })
    const socket = await client()
    await socket.call("work")
    await wait(50)
    deepEqual(done, ["answer", "after", "late"])
    ok(room.logs.some((line) => line.includes("too tired")))
    socket.close()
  })

  it("may tell their own socket declared events, before the answer", async () => {
    room = await scratchRpc({
      events: { progress: { to: "socket" } },
      methods: {
        work: {
          handle: async (_, call: RpcCall) => {
            for (const step of [1, 2, 3]) call.emit("progress", { step })
            return { seen: 3 }
          },
        },
        gossip: { handle: async (_, call: RpcCall) => call.emit("unheard.of", {}) },
      },
    })
    const [socket, other] = [await client("admin.ana"), await client("admin.ana")]
    await socket.call("work")
    deepEqual(
      socket.events.map(({ event, payload }) => [event, payload.step]),
      [
        ["progress", 1],
        ["progress", 2],
        ["progress", 3],
      ],
    )
    equal((await socket.request("gossip")).error?.code, "INTERNAL")
    ok(room.logs.some((line) => line.includes("unheard.of is not in its manifest")))
    equal(other.events.length, 0)
    socket.close()
    other.close()
  })

  it("go on as whoever made them when somebody else connects behind them", async () => {
    const served: string[] = []
    room = await scratchRpc({
      methods: {
        sign: {
          decl: { order: "paper" },
          handle: async (_, { caller }) => {
            await wait(20)
            served.push(caller.userId)
            return {}
          },
        },
      },
    })
    const socket = await client("viewer.ana")
    await Promise.all([
      socket.request("sign", { paper: 1 }),
      socket.request("sign", { paper: 1 }),
      socket.request("connect", { token: "viewer.ben" }),
      socket.request("sign", { paper: 1 }),
    ])
    deepEqual(served, ["ana", "ana", "ben"])
    socket.close()
  })
})
