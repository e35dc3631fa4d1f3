import { equal, ok } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { openRpc, type RpcClient } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"
import { type DeafSocket, openDeafSocket } from "./raw-socket.ts"

// 64 sockets of one user, each with a long answer of its own, hear each other's events as well; ten more never read.
describe("many sockets of one user", () => {
  const token = "socket-test-token-0123456789"
  const words = 400
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  before(async () => {
    storage = await scratchDatabase()
    gateway = await startGateway({
      PLUGBOARD_TOKEN: token,
      PLUGBOARD_PORT: "0",
      PLUGBOARD_DATA_DIR: storage.dataDir,
      ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }),
    })
  })
  after(async () => {
    await gateway.stop()
    await storage.drop()
  })
  const residentMiB = () => Number(readFileSync(`/proc/${gateway.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+)/m)?.[1]) / 1024

  it("answers each of them whole while ten never read, within bounded memory", async () => {
    const deaf: DeafSocket[] = []
    for (let index = 0; index < 10; index += 1) {
      const socket = await openDeafSocket(gateway.url, { type: "req", id: "1", method: "connect", params: { token, user_id: "alice" } })
      socket.stopReading()
      deaf.push(socket)
    }
    const clients: RpcClient[] = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const client = await openRpc(gateway.url)
        await client.call("connect", { token, user_id: "alice" })
        return client
      }),
    )
    const before = residentMiB()
    const answers = await Promise.all(
      clients.map((client, index) => client.call("chat.send", { sessionKey: `agent:default:ws:direct:many-${index}`, message: `/long ${words}`, stream: true })),
    )
    for (const [index, answer] of answers.entries()) {
      const own = clients[index]?.events.filter((frame) => frame.event === "agent" && frame.payload.runId === answer.runId) ?? []
      const text = own
        .filter((frame) => frame.payload.type === "chunk")
        .map((frame) => frame.payload.payload.content)
        .join("")
      equal(text, answer.content, `socket ${index} has its answer whole`)
      ok(answer.content.split(/\s+/).length >= words)
      equal(own.at(-1)?.payload.type, "run.completed")
    }
    const grown = residentMiB() - before
    ok(grown < 400, `memory grew by ${grown.toFixed(0)} MiB`)
    for (const client of clients) client.close()
    for (const { socket } of deaf) socket.destroy()
  }).timeout(120_000)
})
