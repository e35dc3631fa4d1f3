import { equal, ok } from "node:assert/strict"
import type { TestClient } from "@plugboard/sdk/testing"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"

/** A thousand with REJOINS=1000. */
const streams = Number(process.env.REJOINS ?? 200)
const body = JSON.stringify({ model: "agent:default", stream: true, stream_options: { include_usage: true }, messages: [{ role: "user", content: "hello there" }] })

describe("a chat over HTTP that is cut and rejoined", () => {
  let room: ChatRoom
  let client: TestClient
  before(async () => {
    room = await chatRoom({ config: { plugins: { chat: { rejoinMs: 5_000 } } } })
    client = await room.user("cutter")
  })
  after(() => room.close())

  const ask = (who: TestClient, headers: Record<string, string>, signal?: AbortSignal) =>
    who.fetch("/v1/chat/completions", { method: "POST", body, signal, headers: { "content-type": "application/json", "x-goclaw-model": "paced-20-3", ...headers } })

  /** What came of a stream until `bytes` of it were there; whole events only, with the id of the last. */
  async function readSome(bytes: number): Promise<{ text: string; lastId: string; runId: string }> {
    const abort = new AbortController()
    const response = await ask(client, { "x-stream-ids": "on" }, abort.signal)
    let text = ""
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.length >= bytes) break
    }
    abort.abort()
    const events = text.slice(0, Math.min(bytes, text.length)).split("\n\n").slice(0, -1)
    const whole = events.length === 0 ? text.slice(0, text.indexOf("\n\n") + 2) : events.map((event) => `${event}\n\n`).join("")
    return { text: whole, lastId: [...whole.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? "", runId: response.headers.get("x-run-id") ?? "" }
  }

  it(`gives ${streams} clients, cut anywhere, what an uncut one has, to the byte`, async () => {
    let left = streams
    const worker = async () => {
      while (left-- > 0) {
        const { text, lastId, runId } = await readSome(200 + Math.floor(Math.random() * 4_000))
        ok(lastId.startsWith(`${runId}.`))
        const rest = await (await ask(client, { "last-event-id": lastId })).text()
        // One that was never cut, in the same run: from its first event on.
        const first = text.slice(0, text.indexOf("\n\n") + 2)
        const uncut = first + (await (await ask(client, { "last-event-id": `${runId}.0` })).text())
        equal(text + rest, uncut)
        equal(uncut.match(/"content":" ?word\d+"/g)?.length, 20)
        ok(uncut.endsWith("data: [DONE]\n\n"))
      }
    }
    await Promise.all(Array.from({ length: 20 }, worker))
  })

  it("is 404 for another user, and for a run that nobody knows", async () => {
    const { lastId } = await readSome(300)
    const other = await room.user("other-cutter")
    equal((await ask(other, { "last-event-id": lastId })).status, 404)
    equal((await ask(client, { "last-event-id": "0193a5b0-7000-4000-8000-000000000001.3" })).status, 404)
    equal((await ask(client, { "last-event-id": lastId })).status, 200)
  })

  it("ends the run when nobody comes back, and has no ids unless they are asked for", async () => {
    const user = await room.user("never-back")
    const abort = new AbortController()
    const response = await ask(user, { "x-stream-ids": "on", "x-goclaw-model": "paced-2000-20" }, abort.signal)
    for await (const chunk of response.body ?? []) if (Buffer.from(chunk).includes("data:")) break
    abort.abort()
    const asked = room.upstream.requests.at(-1)
    equal((await room.ended("never-back")).status, "cancelled")
    equal(await asked?.closed, true)
    ok(!(await (await ask(user, {})).text()).includes("\nid:"))
  })
})
