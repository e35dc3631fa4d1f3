import { deepEqual, equal, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type EventFrame, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`
interface Told {
  seq: number
  type: string
  payload?: { content?: string }
}
const textIn = (events: readonly Told[]) =>
  events
    .filter(({ type }) => type === "chunk")
    .map(({ payload }) => payload?.content)
    .join("")

/** A long run of alice's, and her socket. */
async function speaking(gateway: TestGateway, sessionKey: string, slow = "40 25") {
  const client = await gateway.as("operator", "acme", "alice").rpc()
  const answer = client.call("chat.send", { sessionKey, message: `/slow ${slow}`, stream: true })
  const { payload } = await client.next("agent", ({ type }) => type === "chunk")
  return { client, answer, runId: payload.runId as string }
}

describe("a client that comes back", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("gets what it has missed, and goes on from there without a gap or a repetition", async () => {
    const sessionKey = newKey()
    const { client, answer, runId } = await speaking(gateway, sessionKey)
    const again: RpcClient = await gateway.as("operator", "acme", "alice").rpc()
    await sleep(200)
    const { events, isRunning, ...joined } = await again.call("chat.events", { sessionKey })
    deepEqual([isRunning, joined.runId], [true, runId])
    deepEqual(
      events.map(({ seq }: Told) => seq),
      events.map((_: Told, index: number) => index),
    )
    equal(events[0].type, "run.started")
    const { content } = await answer
    await again.next("agent", (event) => event.runId === runId && event.type === "run.completed")
    const last = events.at(-1).seq
    const live = again.events.filter(({ payload }: EventFrame) => payload.runId === runId && payload.seq > last).map(({ payload }) => payload)
    equal(textIn(events) + textIn(live), content)
    equal(live.at(-1).type, "run.completed")
    deepEqual((await again.call("chat.events", { runId })).events, [])
    equal((await again.call("chat.history", { sessionKey })).messages.at(-1).content, content)
    client.close()
  })

  it("asks from the number that it lacks", async () => {
    const { client, answer, runId } = await speaking(gateway, newKey())
    await sleep(200)
    const { events } = await client.call("chat.events", { runId, from: 3 })
    deepEqual([events[0].seq, events[0].type], [3, "chunk"])
    equal((await client.request("chat.events", { runId, from: -1 })).error?.code, "INVALID_REQUEST")
    await client.call("chat.abort", { sessionKey: (client.events[0] as EventFrame).payload.sessionKey })
    await answer
  })

  it("is told that there is no such run", async () => {
    const client = await gateway.as("operator", "acme", "alice").rpc()
    for (const runId of ["x", randomUUID()]) equal((await client.request("chat.events", { runId })).error?.code, "NOT_FOUND")
    equal((await client.request("chat.events", { sessionKey: newKey() })).error?.code, "NOT_FOUND")
  })
})

// The embedded database has one gateway.
if (process.env.TEST_DATABASE_URL) {
  describe("a client of another node", () => {
    let one: TestGateway
    let other: TestGateway
    const dataDir = mkdtempSync(join(tmpdir(), "plugboard-node-"))
    before(async () => {
      one = await testGateway()
      other = await testGateway({ on: one.storage, token: one.token, env: { PLUGBOARD_DATA_DIR: dataDir } })
    })
    after(async () => {
      await other.close({ keep: true })
      await one.close()
      rmSync(dataDir, { recursive: true, force: true })
    })

    it("reads what a run has stored, hands it a message, and aborts it", async () => {
      const sessionKey = newKey()
      const { answer, runId } = await speaking(one, sessionKey, "1000 20")
      const client = await other.as("operator", "acme", "alice").rpc()
      let told: Told[] = []
      while (told.length < 10) told = (await client.call("chat.events", { sessionKey })).events
      deepEqual([told[0]?.type, told[0]?.seq], ["run.started", 0])
      ok(textIn(told).startsWith("word0 word1"))
      const rest = (await client.call("chat.events", { runId, from: 5 })).events
      deepEqual(
        rest.map(({ seq }: Told) => seq),
        rest.map((_: Told, index: number) => index + 5),
      )
      deepEqual(await client.call("chat.send", { sessionKey, message: "/say and this" }), { injected: true })
      const { aborted, stopped } = await client.call("chat.abort", { sessionKey })
      deepEqual([aborted, stopped], [true, true])
      deepEqual(await answer, { cancelled: true })
      deepEqual((await client.call("chat.events", { runId })).events, [])
    })

    it("gets the answer of a run that goes on elsewhere when it repeats the request", async () => {
      const params = { sessionKey: newKey(), message: "/slow 10 40", idempotencyKey: "elsewhere", stream: true }
      const [here, there] = await Promise.all([one, other].map((gateway) => gateway.as("operator", "acme", "alice").rpc()))
      const first = here?.call("chat.send", params)
      await here?.next("agent", ({ type }) => type === "chunk")
      deepEqual(await there?.call("chat.send", params), await first)
    })
  })
}
