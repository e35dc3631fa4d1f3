import { deepEqual, equal, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

// Rows R1 and R14 of the list of bad days: what was acknowledged is there after a kill -9, and nothing stays running.
describe("kill -9 while runs stream", () => {
  const token = "kill-test-token-0123456789"
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
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
  })
  after(async () => {
    await gateway.stop()
    await storage.drop()
  })

  it("keeps every acknowledged message and leaves no run running", async () => {
    const sessions = Array.from({ length: 20 }, (_, index) => `agent:default:ws:direct:kill-${index}`)
    const client = await connect()
    for (const [index, sessionKey] of sessions.entries()) {
      void client.request("chat.send", { sessionKey, message: `/slow 400 50 message ${index}`, stream: true })
      // `run.started` is the acknowledgement: the message is durable before it.
      await client.next("agent", (event) => event.type === "run.started" && event.sessionKey === sessionKey)
    }
    await client.next("agent", (event) => event.type === "chunk")
    await gateway.kill()
    gateway = await start()
    const again = await connect()
    for (const [index, sessionKey] of sessions.entries()) {
      const { messages } = await again.call("chat.history", { sessionKey })
      ok(
        messages.some((message: { role: string; content: string }) => message.role === "user" && message.content.includes(`message ${index}`)),
        sessionKey,
      )
    }
    const deadline = performance.now() + 20_000
    let running: string[] = sessions
    while (running.length > 0 && performance.now() < deadline) {
      const states = await Promise.all(running.map((sessionKey) => again.call("chat.session.status", { sessionKey })))
      running = running.filter((_, index) => states[index].isRunning)
      if (running.length > 0) await sleep(250)
    }
    deepEqual(running, [])
    const { content } = await again.call("chat.send", { sessionKey: sessions[0], message: "/say still here" })
    equal(content.includes("still here"), true)
    again.close()
  }).timeout(90_000)
})
