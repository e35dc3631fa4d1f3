import { deepEqual, equal, ok } from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { chatRoom } from "../chat-room.ts"

const streams = Number(process.env.REJOINS ?? 1_000)
/** Cut and rejoined at once. */
const atOnce = 40
const asked = { stream: true, stream_options: { include_usage: true }, messages: [{ role: "user", content: "hello there" }] }

// The embedded database has one gateway.
const onServer = process.env.TEST_DATABASE_URL !== undefined

/** A gateway, on a server two, whose streams end when nobody has come back for so long. */
async function startNodes(rejoinMs: number) {
  const dataDir = mkdtempSync(join(tmpdir(), "plugboard-rejoin-"))
  const config = { plugins: { chat: { rejoinMs } } }
  const room = await chatRoom({ config })
  const client = await room.user("cutter")
  const other: TestGateway | undefined = onServer
    ? await testGateway({ on: room.gateway.storage, token: room.gateway.token, env: { PLUGBOARD_DATA_DIR: dataDir }, config })
    : undefined
  return {
    room,
    client,
    other,
    /** The same user at each node. */
    nodes: other ? [client, await other.as("operator", "master", "cutter")] : [client],
    async close() {
      await other?.close({ keep: true })
      await room.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
type Nodes = Awaited<ReturnType<typeof startNodes>>

const ask = (who: TestClient, headers: Record<string, string>, signal?: AbortSignal, model = "agent:default") =>
  who.fetch("/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify({ ...asked, model }),
    signal,
    headers: { "content-type": "application/json", "x-goclaw-model": "paced-20-3", ...headers },
  })

/** What came of a stream until `bytes` of it were there; whole events only, with the id of the last. */
async function readSome(client: TestClient, bytes: number, headers: Record<string, string> = {}, model?: string): Promise<{ text: string; lastId: string; runId: string }> {
  const abort = new AbortController()
  const response = await ask(client, { "x-stream-ids": "on", ...headers }, abort.signal, model)
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

describe("a chat over HTTP that is cut and rejoined", function () {
  this.timeout(400_000)
  let there: Nodes
  before(async () => {
    // Longer than a busy machine lets one of many clients wait for its turn.
    there = await startNodes(15_000)
  })
  after(() => there.close())

  for (const [count, model, whose] of [
    [streams, "agent:default", "an agent"],
    [Math.ceil(streams / 10), "upstream/paced-20-3", "a provider"],
  ] as const) {
    it(`gives ${count} clients of ${whose}, cut anywhere, what an uncut one has, to the byte${onServer ? ", on whichever node they come back" : ""}`, () =>
      cutAndRejoin(count, model))
  }

  async function cutAndRejoin(count: number, model: string): Promise<void> {
    const { client, nodes } = there
    let left = count
    const worker = async () => {
      for (let turn = left--; turn > 0; turn = left--) {
        const { text, lastId, runId } = await readSome(client, 200 + Math.floor(Math.random() * 4_000), {}, model)
        ok(lastId.startsWith(`${runId}.`))
        const rest = await (await ask(nodes[turn % nodes.length] as TestClient, { "last-event-id": lastId })).text()
        // One that was never cut, in the same run: from its first event on.
        const first = text.slice(0, text.indexOf("\n\n") + 2)
        const uncut = first + (await (await ask(client, { "last-event-id": `${runId}.0` })).text())
        equal(text + rest, uncut)
        equal(uncut.match(/"content":" ?word\d+"/g)?.length, 20)
        ok(uncut.endsWith("data: [DONE]\n\n"))
      }
    }
    // All of them end before the next test begins; when one has failed, the others take no further turn.
    const workers = Array.from({ length: atOnce }, () => worker().finally(() => (left = 0)))
    const failed = (await Promise.allSettled(workers)).find((ended) => ended.status === "rejected")
    if (failed) throw failed.reason
  }

  it("is 404 for another user, and for a run that nobody knows, on every node", async () => {
    const { room, client, other, nodes } = there
    const { lastId } = await readSome(client, 300)
    const others = [await room.user("other-cutter"), await room.gateway.as("admin"), await room.gateway.as("owner", "globex", "cutter")]
    if (other) others.push(await other.as("operator", "master", "other-cutter"), await other.as("admin"))
    const statusOf = async (who: TestClient, id: string) => {
      const response = await ask(who, { "last-event-id": id })
      await response.text()
      return response.status
    }
    const statuses = async (whose: readonly TestClient[], id: string) => new Set(await Promise.all(whose.map((who) => statusOf(who, id))))
    deepEqual(await statuses(others, lastId), new Set([404]))
    deepEqual(await statuses(nodes, lastId), new Set([200]))
    for (const id of ["0193a5b0-7000-4000-8000-000000000001.3", "nothing", `${lastId}x`]) deepEqual(await statuses(nodes, id), new Set([404]))
  })
})

describe("a chat over HTTP that is cut, and nobody comes back for 2 seconds", () => {
  let there: Nodes
  before(async () => {
    there = await startNodes(2_000)
  })
  after(() => there.close())

  it("ends its run, forgets what it said, and has no ids unless they are asked for", async () => {
    const { room } = there
    const user = await room.user("never-back")
    await readSome(user, 300, { "x-goclaw-model": "paced-2000-20" })
    const upstreamCall = room.upstream.requests.at(-1)
    equal((await room.ended("never-back")).status, "cancelled")
    equal(await upstreamCall?.closed, true)
    ok(!(await (await ask(user, {})).text()).includes("\nid:"))
    const frames = async () => (await room.gateway.executeSql("SELECT count(*)::int AS count FROM chat.stream_frames WHERE user_id = 'never-back'")).rows[0]?.count
    while ((await frames()) !== 0) await sleep(50)
  })

  it("ends its provider's call; failures of one pass as they are", async () => {
    const { room, client } = there
    await readSome(client, 300, {}, "upstream/paced-2000-20")
    equal(await room.upstream.requests.at(-1)?.closed, true)
    equal((await ask(client, { "x-stream-ids": "on" }, undefined, "upstream/status-404")).status, 404)
    const broken = await (await ask(client, { "x-stream-ids": "on" }, undefined, "upstream/cut-after-3")).text()
    ok(broken.includes("word2") && broken.includes('"error"'))
  })

  if (onServer) {
    it("goes on while a client listens on another node", async () => {
      const { client, nodes } = there
      // Longer than nobody may be there.
      const { text, lastId } = await readSome(client, 300, { "x-goclaw-model": "paced-150-30" })
      const rest = await (await ask(nodes[1] as TestClient, { "last-event-id": lastId })).text()
      equal((text + rest).match(/"content":" ?word\d+"/g)?.length, 150)
      ok(rest.endsWith("data: [DONE]\n\n"))
    })
  }
})
