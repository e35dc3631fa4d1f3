import { equal, ok } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"
import { openChatSocket } from "./chat-socket.ts"
import { type DeafSocket, openDeafSocket } from "./raw-socket.ts"

// 64 sockets of one user, each with a long answer of its own, hear each other's events as well: 1.6 million of them. Ten more never read.
describe("many sockets of one user", function () {
  this.timeout(240_000)
  const token = "socket-test-token-0123456789"
  const words = 400
  /** A wait that a person would call an outage; on an idle machine it is a fraction of a second. */
  const patienceMs = 10_000
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  const deaf: DeafSocket[] = []

  before(async () => {
    storage = await scratchDatabase()
    gateway = await startGateway({
      PLUGBOARD_TOKEN: token,
      PLUGBOARD_PORT: "0",
      PLUGBOARD_DATA_DIR: storage.dataDir,
      ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }),
    })
    for (let index = 0; index < 10; index += 1) {
      const socket = await openDeafSocket(gateway.url, { type: "req", id: "1", method: "connect", params: { token, user_id: "alice" } })
      socket.stopReading()
      deaf.push(socket)
    }
  })
  after(async () => {
    for (const { socket } of deaf) socket.destroy()
    await gateway?.stop()
    await storage.drop()
  })
  const residentMiB = () => Number(readFileSync(`/proc/${gateway.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+)/m)?.[1]) / 1024

  it("answers each of them whole while ten never read, within bounded memory, and others do not wait", async () => {
    const clients = await Promise.all(Array.from({ length: 64 }, (_, index) => openChatSocket(gateway.url, { token, user_id: "alice" }, `agent:default:ws:direct:many-${index}`)))
    const bystander = await openRpc(gateway.url)
    await bystander.call("connect", { token, user_id: "bob" })
    const before = residentMiB()
    let peak = before
    let slowest = 0
    let busy = true
    const others = (async () => {
      while (busy) {
        const asked = performance.now()
        await bystander.call("chat.history", { sessionKey: "agent:default:ws:direct:bystander" })
        slowest = Math.max(slowest, performance.now() - asked)
        peak = Math.max(peak, residentMiB())
        await sleep(50)
      }
    })()
    const heard = await Promise.all(clients.map((client) => client.send(`/long ${words}`)))
    busy = false
    await others
    for (const [index, { answer, text, types }] of heard.entries()) {
      ok(answer.split(/\s+/).length >= words)
      equal(text, answer, `socket ${index} has its answer whole`)
      equal(types.at(-1), "run.completed")
    }
    ok(slowest < patienceMs, `another user waited for ${slowest.toFixed(0)} ms`)
    ok(peak - before < 400, `memory grew by ${(peak - before).toFixed(0)} MiB`)
    for (const client of [...clients, bystander]) client.close()
  })

  it("ends those that never read", async () => {
    // What is written to a connection that has ended shows the end even to one that does not read.
    while (deaf.some(({ socket }) => !socket.destroyed)) {
      for (const { socket, send } of deaf) if (!socket.destroyed) send("{}")
      await sleep(250)
    }
  })
})
