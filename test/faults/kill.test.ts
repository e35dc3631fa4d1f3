import { deepEqual, equal, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, type TestGatewayOptions, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

// Rows R1, R2 and R14 of the list of bad days: what was acknowledged is there after a kill -9, once, and nothing stays running.
describe("kill -9 while 20 runs stream", function () {
  this.timeout(180_000)
  const token = "kill-test-token-0123456789"
  const sessions = Array.from({ length: 20 }, (_, index) => ({ sessionKey: `agent:default:ws:direct:kill-${index}`, message: `/slow 2000 50 message ${index}` }))
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  let budget: string
  let setAside: number
  const start = () =>
    startGateway({
      PLUGBOARD_TOKEN: token,
      PLUGBOARD_PORT: "0",
      PLUGBOARD_DATA_DIR: storage.dataDir,
      ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }),
    })
  const connect = async (): Promise<RpcClient> => {
    const client = await openRpc(gateway.url)
    await client.call("connect", { token, user_id: "alice", locale: "en" })
    return client
  }

  before(async () => {
    storage = await scratchDatabase()
    gateway = await start()
    const client = await connect()
    const made = await client.call("budgets.create", { scope: "tenant", period: "month", limit_tokens: 1_000_000_000 })
    budget = made.id as string
    for (const { sessionKey, message } of sessions) {
      void client.request("chat.send", { sessionKey, message, stream: true })
      // `run.started` is the acknowledgement: the message is durable before it.
      await client.next("agent", (event) => event.type === "run.started" && event.sessionKey === sessionKey, 30_000)
    }
    for (const { sessionKey } of sessions) await client.next("agent", (event) => event.type === "chunk" && event.sessionKey === sessionKey, 30_000)
    setAside = (await client.call("budgets.get", { id: budget })).reserved_tokens as number
    await gateway.kill()
    equal(client.events.filter(({ payload }) => payload?.type === "run.completed").length, 0, "all of them streamed to the end")
    gateway = await start()
  })
  after(async () => {
    await gateway?.stop()
    await storage.drop()
  })

  it("keeps every acknowledged message, once", async () => {
    const client = await connect()
    for (const { sessionKey, message } of sessions) {
      const { messages } = await client.call("chat.history", { sessionKey })
      const asked = (messages as { role: string; content: string }[]).filter(({ role }) => role === "user")
      deepEqual(
        asked.map(({ content }) => content),
        [message],
      )
    }
    client.close()
  })

  it("counts what each of them had set aside of the budget, since nobody knows more", async () => {
    const client = await connect()
    const { reserved_tokens, spent_tokens } = await client.call("budgets.get", { id: budget })
    ok(setAside > sessions.length * 1_000)
    deepEqual([reserved_tokens, spent_tokens], [0, setAside])
    client.close()
  })

  it("leaves no run running, and a session that was cut off serves on", async () => {
    const client = await connect()
    const isRunning = async () => (await Promise.all(sessions.map(({ sessionKey }) => client.call("chat.session.status", { sessionKey })))).some((state) => state.isRunning)
    for (const deadline = performance.now() + 60_000; (await isRunning()) && performance.now() < deadline; ) await sleep(250)
    equal(await isRunning(), false)
    const { content } = await client.call("chat.send", { sessionKey: sessions[0]?.sessionKey, message: "/say still here" })
    ok(content.includes("still here"))
    client.close()
  })

  it("ends each run as interrupted", async () => {
    await gateway.stop()
    const looking = await testGateway({ on: storage, token } satisfies TestGatewayOptions)
    const { rows } = await looking.executeSql("SELECT status, count(*)::int AS count FROM sessions.runs GROUP BY status ORDER BY status")
    deepEqual(rows, [
      { status: "completed", count: 1 },
      { status: "interrupted", count: sessions.length },
    ])
    await looking.close({ keep: true })
  })
})
