import { deepEqual, equal } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`

/** What a socket was told of a run. */
function toldOf({ events }: RpcClient, runId: string) {
  const told = events.filter(({ event, payload }) => event === "agent" && payload.runId === runId).map(({ payload }) => payload)
  return { types: told.map(({ type }) => type), text: told.map(({ type, payload }) => (type === "chunk" ? payload.content : "")).join(""), told }
}
const ended = (client: RpcClient, runId: string) => client.next("agent", (event) => event.runId === runId && /^run\.(completed|failed|cancelled)$/.test(event.type))

describe("a socket that follows a session", () => {
  let gateway: TestGateway
  let root: RpcClient
  before(async () => {
    gateway = await testGateway()
    root = await gateway.as("admin", "acme", "root").rpc()
  })
  after(() => gateway.close())

  /** A session of alice's, and a new socket of hers. */
  async function owned(): Promise<{ key: string; alice: RpcClient }> {
    const [key, alice] = [newKey(), await gateway.as("operator", "acme", "alice").rpc()]
    await alice.call("chat.send", { sessionKey: key, message: "/say hello" })
    return { key, alice }
  }
  const byRoot = (sessionKey: string, message: string) => root.call("chat.send", { sessionKey, message, stream: true })

  it("gets the events of a run in it that somebody else has started, all of them and once", async () => {
    const { key, alice } = await owned()
    deepEqual(await alice.call("sessions.follow", { session_key: key }), { ok: true, key, runId: "" })
    const { runId, content } = await byRoot(key, "/slow 20 40")
    await ended(alice, runId)
    const { types, text, told } = toldOf(alice, runId)
    deepEqual([types[0], types.at(-1), text], ["run.started", "run.completed", content])
    deepEqual(
      told.map(({ seq }) => seq),
      told.map((_, at) => at),
    )
    deepEqual([told[0].userId, told[0].sessionKey, told[0].agentId], ["root", key, "default"])
  })

  it("is told of a run that is over before anybody looks", async () => {
    const { key, alice } = await owned()
    await alice.call("sessions.follow", { key })
    const { runId } = await byRoot(key, "/say so it is")
    await ended(alice, runId)
    // Whoever looks while it is still under way gets its pieces, too.
    const { types, text } = toldOf(alice, runId)
    deepEqual([types[0], types.at(-1), text], ["run.started", "run.completed", "so it is"])
  })

  it("gets what a run under way has said before", async () => {
    const { key, alice } = await owned()
    const answer = byRoot(key, "/slow 40 25")
    const { payload } = await root.next("agent", ({ type, sessionKey, userId }) => type === "chunk" && sessionKey === key && userId === "root")
    equal((await alice.call("sessions.follow", { key })).runId, payload.runId)
    const { content } = await answer
    await ended(alice, payload.runId)
    equal(toldOf(alice, payload.runId).text, content)
  })

  it("gets its own runs, which come by themselves, no second time", async () => {
    const { key, alice } = await owned()
    await alice.call("sessions.follow", { key })
    const { runId, content } = await alice.call("chat.send", { sessionKey: key, message: "/slow 10 60", stream: true })
    await sleep(100)
    equal(toldOf(alice, runId).text, content)
  })

  it("gets nothing more when it has left, or when the session is another user's by now", async () => {
    const { key, alice } = await owned()
    const { key: other } = await owned()
    for (const each of [key, other]) await alice.call("sessions.follow", { key: each })
    deepEqual(await alice.call("sessions.unfollow", { key }), { ok: true, followed: true })
    deepEqual(await alice.call("sessions.unfollow", { key }), { ok: true, followed: false })
    await alice.call("sessions.delete", { key: other })
    const mallory = await gateway.as("operator", "acme", "mallory").rpc()
    const theirs = await mallory.call("chat.send", { sessionKey: other, message: "/say mine now" })
    const { runId } = await byRoot(key, "/say unheard")
    // A third one that is followed shows that others had been looked at by then.
    const { key: witness } = await owned()
    await alice.call("sessions.follow", { key: witness })
    await ended(alice, (await byRoot(witness, "/say heard")).runId)
    for (const unheard of [runId, theirs.runId]) deepEqual(toldOf(alice, unheard).types, [])
  })

  it("must be its owner's, or an admin's", async () => {
    const { key } = await owned()
    const mallory = await gateway.as("operator", "acme", "mallory").rpc()
    equal((await mallory.request("sessions.follow", { key })).error?.code, "UNAUTHORIZED")
    equal((await mallory.request("sessions.follow", { key: newKey() })).error?.code, "NOT_FOUND")
    equal((await root.request("sessions.follow", { key })).ok, true)
  })
})

// The embedded database has one gateway.
if (process.env.TEST_DATABASE_URL) {
  describe("a socket that follows a session from another node", () => {
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

    it("is told what is said in it there, in pieces while it is said, and how it ends", async () => {
      const key = newKey()
      const [here, there] = await Promise.all([one.as("operator", "acme", "alice").rpc(), other.as("operator", "acme", "alice").rpc()])
      await here.call("chat.send", { sessionKey: key, message: "/say hello" })
      await there.call("sessions.follow", { key })
      for (const message of ["/slow 40 40", "/say at once", "/tool datetime {}"]) {
        const { runId, content } = await here.call("chat.send", { sessionKey: key, message, stream: true })
        await ended(there, runId)
        const { types, text, told } = toldOf(there, runId)
        deepEqual([types[0], types.at(-1), told.at(-1)?.payload.content], ["run.started", "run.completed", content])
        if (!message.startsWith("/tool")) equal(text, content)
        if (message.startsWith("/slow")) equal(types.filter((type) => type === "chunk").length > 10, true)
      }
      const answer = here.call("chat.send", { sessionKey: key, message: "/slow 1000 40", stream: true })
      const { payload } = await here.next("agent", ({ type, payload: told }) => type === "run.started" && told.message === "/slow 1000 40")
      await there.next("agent", ({ type, runId }) => type === "chunk" && runId === payload.runId)
      await there.call("chat.abort", { sessionKey: key })
      deepEqual(await answer, { cancelled: true })
      await ended(there, payload.runId)
      equal(toldOf(there, payload.runId).types.at(-1), "run.cancelled")
    })
  })
}
