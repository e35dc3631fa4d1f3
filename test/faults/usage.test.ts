import { deepEqual, equal } from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

if (process.env.TEST_DATABASE_URL) {
  describe("two gateways over one database", () => {
    it("add up what was used once, and beat once", async () => {
      const config = { plugins: { heartbeat: { tickMs: 50 } } }
      const one = await testGateway({ config })
      // A node is known by its data folder.
      const dataDir = await mkdtemp(join(tmpdir(), "plugboard-"))
      const two = await testGateway({ config, on: one.storage, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const anna = await one.as("admin", "acme", "anna")
      const client = await anna.rpc()
      for (let index = 0; index < 5; index += 1) await client.call("chat.send", { sessionKey: `agent:default:ws:direct:${index}`, message: "/say hello" })
      await one.executeSql("UPDATE sessions.runs SET finished_at = finished_at - make_interval(hours => 5 * (1 + message_count)) FROM sessions.sessions s WHERE s.id = session_id")
      const requests = async (url: string) => {
        const reply = await fetch(`${url}/v1/usage/timeseries?period=7d&group_by=week`, { headers: { authorization: `Bearer ${anna.key}` } })
        return ((await reply.json()) as { points: { request_count: number }[] }).points.reduce((sum, { request_count }) => sum + request_count, 0)
      }
      deepEqual(await Promise.all([one.url, two.url, one.url, two.url].map(requests)), [5, 5, 5, 5])
      equal((await one.executeSql("SELECT sum(requests)::int AS requests FROM usage.hours")).rows[0]?.requests, 5)

      await client.call("heartbeat.set", { prompt: "/say hi" })
      await one.executeSql("UPDATE heartbeat.heartbeats SET next_run_at = now() + interval '1 second'")
      await client.next("heartbeat", ({ action }) => action === "completed", 30_000)
      equal((await client.call("heartbeat.logs", {})).total, 1)
      await two.close({ keep: true })
      await one.close()
      await rm(dataDir, { recursive: true })
    }).timeout(120_000)
  })
}

describe("kill -9 behind an answer", function () {
  this.timeout(180_000)
  const token = "usage-kill-token-0123456789"
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  const start = () =>
    startGateway({ PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  after(async () => {
    await gateway?.stop()
    await storage?.drop()
  })

  it("loses nothing of what a turn has used", async () => {
    storage = await scratchDatabase()
    gateway = await start()
    const client = await openRpc(gateway.url)
    await client.call("connect", { token, user_id: "alice", locale: "en" })
    const { usage } = await client.call("chat.send", { sessionKey: "agent:default:ws:direct:1", message: "/say hello" })
    await gateway.kill()
    gateway = await start()
    const read = () => fetch(`${gateway.url}/v1/usage/summary?period=today`, { headers: { authorization: `Bearer ${token}` } })
    let reply = await read()
    // A gateway that has only just started on a busy machine may ask to come again.
    while (reply.status === 503) {
      await reply.text()
      await sleep(100)
      reply = await read()
    }
    const { current } = (await reply.json()) as { current: Record<string, number> }
    deepEqual([current.requests, current.input_tokens, current.output_tokens], [1, usage.prompt_tokens, usage.completion_tokens])
  })
})
