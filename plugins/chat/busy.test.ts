import { deepEqual, equal, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`

describe("a session that is busy", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const alice = () => gateway.as("operator", "acme", "alice").rpc()

  /** A run of `/slow`, once it has begun to speak. */
  async function busy(client: RpcClient, slow: string, sessionKey = newKey()) {
    const answer = client.request("chat.send", { sessionKey, message: `/slow ${slow}`, stream: true })
    const { payload } = await client.next("agent", (event) => event.sessionKey === sessionKey && event.type === "chunk")
    return { sessionKey, answer, runId: payload.runId as string }
  }
  async function told(client: RpcClient, sessionKey: string) {
    const { messages } = await client.call("chat.history", { sessionKey })
    return messages.map(({ role, content }: { role: string; content: string }) => `${role}: ${content.slice(0, 30)}`)
  }
  async function runsIn(sessionKey: string) {
    const { rows } = await gateway.executeSql(
      "SELECT r.status FROM sessions.runs r JOIN sessions.sessions s ON s.id = r.session_id WHERE s.session_key = $1 ORDER BY r.created_at, r.id",
      [sessionKey],
    )
    return rows.map(({ status }) => status)
  }

  it("hands a text to the run under way, which answers it too, in order", async () => {
    const client = await alice()
    const { sessionKey, answer, runId } = await busy(client, "10 40")
    deepEqual(await client.call("chat.send", { sessionKey, message: "/say and this" }), { injected: true })
    const { payload } = await answer
    deepEqual([payload.runId, payload.content], [runId, "and this"])
    const activity = client.events.find((event) => event.payload.payload?.phase === "injected_message")
    deepEqual([activity?.payload.runId, activity?.payload.payload.content], [runId, "/say and this"])
    deepEqual(await told(client, sessionKey), ["user: /slow 10 40", "assistant: word0 word1 word2 word3 word4 ", "user: /say and this", "assistant: and this"])
    equal(client.events.filter((event) => event.payload.runId === runId && event.payload.type === "run.completed").length, 1)
  })

  it("takes a repeated text with an idempotency key once", async () => {
    const client = await alice()
    const { sessionKey, answer } = await busy(client, "10 40")
    const repeated = () => client.call("chat.send", { sessionKey, message: "/say once", idempotencyKey: "inject-1" })
    deepEqual(await Promise.all([repeated(), repeated()]), [{ injected: true }, { injected: true }])
    await answer
    deepEqual(await repeated(), { injected: true })
    equal((await told(client, sessionKey)).filter((line: string) => line === "user: /say once").length, 1)
  })

  it("cuts an injected text at 32,000 characters", async () => {
    const client = await alice()
    const { sessionKey, answer } = await busy(client, "10 40")
    await client.call("chat.send", { sessionKey, message: "x".repeat(40_000) })
    await answer
    const { messages } = await client.call("chat.history", { sessionKey })
    const { content } = messages.find((message: { content: string }) => message.content.startsWith("xxx"))
    equal(content, `${"x".repeat(32_000)} [… cut]`)
  })

  it("queues what does not fit or has media, and answers each when its own run ends", async () => {
    const client = await alice()
    const { sessionKey, answer, runId } = await busy(client, "10 60")
    const media = client.call("chat.send", { sessionKey, message: "/say with media", media: ["photo.png"] })
    for (let index = 0; index < 5; index += 1) deepEqual(await client.call("chat.send", { sessionKey, message: `/say ${index}` }), { injected: true })
    const sixth = client.call("chat.send", { sessionKey, message: "/say sixth" })
    const [first, second, third] = await Promise.all([answer, media, sixth])
    deepEqual([first.payload.runId, second.content, third.content], [runId, "with media", "sixth"])
    deepEqual((await told(client, sessionKey)).slice(-4), ["user: /say with media", "assistant: with media", "user: /say sixth", "assistant: sixth"])
    deepEqual(await runsIn(sessionKey), ["completed", "completed", "completed"])
    const order = client.events.filter(({ payload }) => payload.sessionKey === sessionKey && /^run\./.test(payload.type)).map(({ payload }) => `${payload.type} ${payload.runId}`)
    deepEqual(
      order,
      [runId, second.runId, third.runId].flatMap((id) => [`run.started ${id}`, `run.completed ${id}`]),
    )
  })

  it("refuses an eleventh that waits", async () => {
    const client = await alice()
    const { sessionKey, answer } = await busy(client, "1000 50")
    const waiting = Array.from({ length: 10 }, (_, index) => client.request("chat.send", { sessionKey, message: `/say ${index}`, media: ["a.png"] }))
    while ((await runsIn(sessionKey)).filter((status) => status === "queued").length < 10) await sleep(20)
    const { error } = await client.request("chat.send", { sessionKey, message: "/say 11", media: ["a.png"] })
    deepEqual([error?.code, error?.retryable], ["RESOURCE_EXHAUSTED", true])
    await client.call("chat.abort", { sessionKey })
    equal((await answer).payload.cancelled, true)
    deepEqual(
      (await Promise.all(waiting)).map(({ payload }) => payload.content),
      Array.from({ length: 10 }, (_, index) => String(index)),
    )
  })

  for (const word of ["stop", " Cancel ", "ABORT", "nevermind", "never mind", "thôi", "Dừng", "hủy", "取消", "停"]) {
    it(`stops at ${JSON.stringify(word)}, and keeps what was said`, async () => {
      const client = await alice()
      const { sessionKey, answer, runId } = await busy(client, "1000 20")
      deepEqual(await client.call("chat.send", { sessionKey, message: word }), { cancelled: true, aborted: true })
      deepEqual((await answer).payload, { cancelled: true })
      const ends = client.events.filter(({ payload }) => payload.runId === runId && /^run\.(completed|failed|cancelled)$/.test(payload.type))
      deepEqual([ends.length, ends[0]?.payload.type, ends[0]?.payload.payload], [1, "run.cancelled", undefined])
      const [asked, said, ...rest] = await told(client, sessionKey)
      deepEqual([asked, said.startsWith("assistant: word0"), rest], ["user: /slow 1000 20", true, []])
    })
  }

  it("is aborted by its key: stopped in time, once, and says so", async () => {
    const client = await alice()
    const { sessionKey, answer, runId } = await busy(client, "1000 20")
    deepEqual(await client.call("chat.session.status", { sessionKey }), { isRunning: true, runId, activity: { phase: "thinking", iteration: 1 } })
    const aborted = { ok: true, aborted: true, stopped: true, forced: false, alreadyAborting: false, notFound: false, unauthorized: false, runIds: [runId] }
    deepEqual(await client.call("chat.abort", { sessionKey, runId }), aborted)
    deepEqual((await answer).payload, { cancelled: true })
    deepEqual(await client.call("chat.abort", { sessionKey }), { ...aborted, aborted: false, stopped: false, notFound: true, runIds: null })
    deepEqual(await client.call("chat.session.status", { sessionKey }), { isRunning: false, runId: "", activity: null })
    equal((await client.call("chat.send", { sessionKey, message: "/say next" })).content, "next")
  })

  it("lets an admin abort a run by its id alone, also one that waits for its turn, and nobody else", async () => {
    const client = await alice()
    const admin = await gateway.as("admin", "acme", "root").rpc()
    const { sessionKey, answer } = await busy(client, "1000 20")
    const waiting = client.request("chat.send", { sessionKey, message: "/say later", media: ["a.png"] })
    let queued: string | undefined
    while (!queued) queued = (await gateway.executeSql("SELECT id::text FROM sessions.runs WHERE status = 'queued'")).rows[0]?.id as string | undefined
    equal((await client.request("chat.abort", { runId: queued })).error?.code, "INVALID_REQUEST")
    deepEqual((await admin.call("chat.abort", { runId: queued })).stopped, true)
    deepEqual((await waiting).payload, { cancelled: true })
    for (const runId of ["x", randomUUID()]) equal((await admin.call("chat.abort", { runId })).notFound, true)
    await admin.call("chat.abort", { sessionKey })
    await answer
    deepEqual(await runsIn(sessionKey), ["cancelled", "cancelled"])
  })

  it("goes on without the socket that asked", async () => {
    const client = await alice()
    const { sessionKey, runId } = await busy(client, "20 30")
    client.close()
    const again = await alice()
    const { payload } = await again.next("agent", (event) => event.runId === runId && event.type === "run.completed")
    equal((await told(again, sessionKey)).at(-1), `assistant: ${payload.payload.content.slice(0, 30)}`)
  })

  it("loses no message that comes just as its run ends, and keeps the order in which they came", async () => {
    const client = await alice()
    const rounds = Array.from({ length: 15 }, (_, round) => round)
    const converse = async (sessionKey: string) => {
      for (const round of rounds) {
        const first = client.call("chat.send", { sessionKey, message: `/say ${round}` })
        await sleep(round)
        const [, second] = await Promise.all([first, client.call("chat.send", { sessionKey, message: `/say then ${round}`, media: ["a.png"] })])
        equal(second.content, `then ${round}`)
      }
      deepEqual(
        (await told(client, sessionKey)).filter((line: string) => line.startsWith("user")),
        rounds.flatMap((round) => [`user: /say ${round}`, `user: /say then ${round}`]),
      )
      ok((await runsIn(sessionKey)).every((status) => status === "completed"))
    }
    await Promise.all(Array.from({ length: 16 }, () => converse(newKey())))
  }).timeout(120_000)
})

describe("chat.send with an idempotency key", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("is one run while it goes on and after it, on every socket of the user, and another for another user", async () => {
    const [one, two] = await Promise.all([gateway.as("operator", "acme", "alice").rpc(), gateway.as("operator", "acme", "alice").rpc()])
    const bob = await gateway.as("operator", "acme", "bob").rpc()
    const params = { message: "/slow 5 40", idempotencyKey: "k-1", stream: true }
    const [first, second] = await Promise.all([one.call("chat.send", params), two.call("chat.send", params)])
    deepEqual(second, first)
    deepEqual(await two.call("chat.send", params), first)
    ok((await bob.call("chat.send", params)).runId !== first.runId)
    equal((await gateway.executeSql("SELECT 1 FROM sessions.runs")).rows.length, 2)
  })

  it("tells the end of a run that was cancelled or failed again", async () => {
    const client = await gateway.as("operator", "acme", "carol").rpc()
    const params = { sessionKey: newKey(), message: "/slow 1000 20", idempotencyKey: "k-2", stream: true }
    const asked = client.call("chat.send", params)
    await client.next("agent", ({ type }) => type === "chunk")
    await client.call("chat.abort", { sessionKey: params.sessionKey })
    deepEqual([await asked, await client.call("chat.send", params)], [{ cancelled: true }, { cancelled: true }])
    const failing = () => client.request("chat.send", { message: "/fail auth", idempotencyKey: "k-3" })
    const [first, again] = [await failing(), await failing()]
    deepEqual([again.error?.code, again.error?.message], [first.error?.code, first.error?.message])
  })
})
