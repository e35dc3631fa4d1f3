import { deepEqual, ok } from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

// Row S19 of the list of bad days: a scheduled session never leaks into another one.
if (process.env.TEST_DATABASE_URL) {
  describe("10,000 jobs of cron that are due at once, on two gateways over one database", function () {
    this.timeout(900_000)
    const count = 10_000
    let one: TestGateway
    let two: TestGateway
    let dataDir: string
    before(async () => {
      const config = { plugins: { cron: { tickMs: 50, maxRuns: 40 } } }
      one = await testGateway({ config })
      // A node is known by its data folder.
      dataDir = await mkdtemp(join(tmpdir(), "plugboard-"))
      two = await testGateway({ config, on: one.storage, token: one.token, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const owners = await Promise.all(["acme", "globex", "initech"].flatMap((tenant) => ["alice", "bob"].map((user) => one.as("operator", tenant, user))))
      // Made by hand: 10,000 calls would take longer than the jobs. One that is made by a call has the nodes look.
      await one.executeSql(
        `INSERT INTO cron.jobs (id, tenant_id, user_id, user_role, name, agent_id, schedule, message, next_run_at)
         SELECT gen_random_uuid(), tenants[1 + n % 6]::uuid, users[1 + n % 6], 'operator', 'job-' || n, 'default', '{"kind":"at","atMs":1}', '/say marker-' || n, now()
         FROM generate_series(1, $1::int) AS n, (SELECT $2::text[] AS tenants, $3::text[] AS users) AS owners`,
        [count - 1, owners.map(({ tenantId }) => tenantId), owners.map(({ userId }) => userId)],
      )
      const client = await (owners[0] as TestClient).rpc()
      await client.call("cron.create", { name: "last", message: `/say marker-${count}`, schedule: { kind: "every", everyMs: 86_400_000 }, agentId: "default" })
      await one.executeSql("UPDATE cron.jobs SET next_run_at = now() WHERE name = 'last'")
      for (let done = 0; done < count; ) {
        await sleep(500)
        done = ((await one.executeSql("SELECT count(*)::int AS done FROM cron.jobs WHERE last_run_at IS NOT NULL AND lease_until IS NULL")).rows[0] as { done: number }).done
      }
    })
    after(async () => {
      await two?.close({ keep: true })
      await one?.close()
      if (dataDir) await rm(dataDir, { recursive: true })
    })
    const only = async (text: string) => (await one.executeSql(text)).rows[0]

    it("are each run once, by both of them, and all go well", async () => {
      deepEqual(await only("SELECT count(*)::int AS runs, count(DISTINCT session_id)::int AS sessions FROM sessions.runs WHERE channel = 'cron'"), { runs: count, sessions: count })
      deepEqual(await only("SELECT count(*)::int AS entries, count(DISTINCT job_id)::int AS jobs FROM cron.runs WHERE status = 'ok'"), { entries: count, jobs: count })
      ok(((await only("SELECT count(DISTINCT node)::int AS nodes FROM sessions.runs WHERE channel = 'cron'")) as { nodes: number }).nodes === 2)
    })

    it("have transcripts that hold their own marker only, in sessions of their own user", async () => {
      deepEqual(
        await only(`
          SELECT count(*)::int AS jobs,
            count(*) FILTER (WHERE said = ARRAY['user ' || j.message, 'assistant ' || substr(j.message, 6)])::int AS own,
            count(*) FILTER (WHERE s.user_id = j.user_id AND s.tenant_id = j.tenant_id)::int AS theirs
          FROM cron.jobs j JOIN sessions.sessions s ON s.session_key = 'agent:default:cron:' || j.id,
            LATERAL (SELECT array_agg(m.role || ' ' || m.content ORDER BY m.ordinal) AS said FROM sessions.messages m WHERE m.session_id = s.id) AS transcript`),
        { jobs: count, own: count, theirs: count },
      )
      deepEqual(await only("SELECT (SELECT count(*)::int FROM sessions.messages) AS messages, (SELECT count(*)::int FROM sessions.sessions) AS sessions"), {
        messages: 2 * count,
        sessions: count,
      })
    })
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
