import { deepEqual, equal, ok } from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

type Message = { role: string; content: string }

// Row S19 of the list of bad days: a scheduled session never leaks into another one.
if (process.env.TEST_DATABASE_URL) {
  describe("cron on two gateways over one database", () => {
    it("runs each job once, and each transcript holds its own marker only", async () => {
      const config = { plugins: { cron: { tickMs: 50 } } }
      const one = await testGateway({ config })
      // A node is known by its data folder.
      const dataDir = await mkdtemp(join(tmpdir(), "plugboard-"))
      const two = await testGateway({ config, on: one.storage, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const owners = await Promise.all(["acme", "globex", "initech"].flatMap((tenant) => ["alice", "bob"].map((user) => one.as("operator", tenant, user))))
      const atMs = Date.now() + 2_000
      const jobs = (
        await Promise.all(
          owners.map(async (owner) => {
            const client = await owner.rpc()
            const made: { id: string; marker: string; client: RpcClient }[] = []
            for (let index = 0; index < 10; index += 1) {
              const marker = `marker-${owner.tenantId}-${owner.userId}-${index}`
              const { job } = await client.call("cron.create", { name: `job-${index}`, message: `/say ${marker}`, schedule: { kind: "at", atMs }, agentId: "default" })
              made.push({ id: job.id, marker, client })
            }
            return made
          }),
        )
      ).flat()
      for (const { id, marker, client } of jobs) {
        const read = async (): Promise<Message[]> => (await client.call("chat.history", { sessionKey: `agent:default:cron:${id}` })).messages
        while (!(await read()).some(({ role }) => role === "assistant")) await sleep(50)
        deepEqual(
          (await read()).map(({ role, content }) => `${role} ${content}`),
          [`user /say ${marker}`, `assistant ${marker}`],
        )
      }
      const { rows } = await one.executeSql("SELECT count(*)::int AS runs FROM sessions.runs WHERE channel = 'cron'")
      equal(rows[0]?.runs, jobs.length)
      await two.close({ keep: true })
      await one.close()
      await rm(dataDir, { recursive: true })
    }).timeout(120_000)
  })
}

describe("kill -9 in a job", function () {
  this.timeout(180_000)
  const token = "cron-kill-token-0123456789"
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  const start = () =>
    startGateway({ PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  const connect = async (): Promise<RpcClient> => {
    const client = await openRpc(gateway.url)
    await client.call("connect", { token, user_id: "alice", locale: "en" })
    return client
  }
  after(async () => {
    await gateway?.stop()
    await storage?.drop()
  })

  it("tries the job again, and the history tells of both runs", async () => {
    storage = await scratchDatabase()
    gateway = await start()
    const client = await connect()
    const { job } = await client.call("cron.create", { name: "long", message: "/slow 40 100", schedule: { kind: "every", everyMs: 86_400_000 } })
    await client.call("cron.run", { jobId: job.id })
    await client.next("agent", ({ type }) => type === "chunk", 30_000)
    await gateway.kill()
    gateway = await start()
    const again = await connect()
    const entries = async (): Promise<{ status: string; error?: string }[]> => (await again.call("cron.runs", { jobId: job.id })).entries
    while ((await entries())[0]?.status !== "ok") await sleep(200)
    deepEqual(
      (await entries()).map(({ status }) => status),
      ["ok", "error"],
    )
    ok((await entries())[1]?.error?.includes("stopped"))
    const { jobs } = await again.call("cron.list")
    deepEqual([jobs[0].state.lastStatus, jobs[0].state.nextRunAtMs], ["ok", job.state.nextRunAtMs])
    again.close()
  })
})
