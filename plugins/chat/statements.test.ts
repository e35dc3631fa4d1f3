import { equal, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import type { RpcClient } from "@plugboard/sdk/testing"
import type OpenAI from "openai"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"

const messages = [{ role: "user" as const, content: "hello there" }]

// A turn makes two visits to the database, each one statement: it begins, and it ends. Everything else is cached or batched.
describe("a turn's statements", () => {
  let room: ChatRoom
  let openai: OpenAI
  let socket: RpcClient
  const sessionKey = `agent:default:ws:direct:${randomUUID()}`
  before(async () => {
    room = await chatRoom()
    openai = await room.openai("alice", "words-20")
    socket = await (await room.user("alice")).rpc()
  })
  after(() => room.close())

  const send = (message: string, more: object = {}) => socket.call("chat.send", { message, stream: true, modelOverride: "words-20", ...more })

  /** The least of several: the gateway also works for itself in between, and a turn that a busy machine makes long has its events stored. */
  async function statementsOf(turn: () => Promise<unknown>): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 6 || (round < 60 && least > 2); round += 1) {
      const before = room.gateway.statements.count
      await turn()
      least = Math.min(least, room.gateway.statements.count - before)
    }
    return least
  }

  for (const [what, turn] of [
    ["a JSON answer", () => openai.chat.completions.create({ model: "agent:default", messages })],
    [
      "a JSON answer with history and an idempotency key",
      () =>
        openai.chat.completions.create({ model: "", messages: [...messages, { role: "assistant", content: "hi" }, ...messages] }, { headers: { "Idempotency-Key": randomUUID() } }),
    ],
    [
      "a stream",
      async () => {
        for await (const _ of await openai.chat.completions.create({ model: "agent:default", messages, stream: true }));
      },
    ],
    ["a new session of the socket", () => send("hello")],
    ["a session of the socket that goes on", () => send("hello", { sessionKey })],
    ["a turn that fails", () => socket.request("chat.send", { message: "hello", modelOverride: "status-401" })],
  ] as const) {
    it(`are two for ${what}`, async () => equal(await statementsOf(turn), 2))
  }

  it("are two with tools, too", async () => {
    const client = await room.gateway.as("operator", "tools", "alice").rpc()
    equal(await statementsOf(() => client.call("chat.send", { message: "/tool datetime", stream: true })), 2)
  })

  it("are a few more while a long run tells much: its events are written in batches, and removed with its end", async () => {
    const stored = async () => Number((await room.gateway.executeSql("SELECT coalesce(sum(jsonb_array_length(events)), 0)::int AS count FROM chat.run_events")).rows[0]?.count)
    const before = room.gateway.statements.count
    const began = performance.now()
    const answer = send("hello", { modelOverride: "paced-150-30" })
    let looks = 0
    for (; (await stored()) === 0; looks += 1) await sleep(30)
    await answer
    const rounds = (performance.now() - began) / 100
    ok(room.gateway.statements.count - before - looks < 2 * rounds + 10, `${room.gateway.statements.count - before - looks} statements in ${rounds} rounds`)
    while ((await stored()) > 0) await sleep(30)
  })
})
