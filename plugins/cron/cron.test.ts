import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const daily = { kind: "cron", expr: "0 9 * * *", tz: "Asia/Ho_Chi_Minh" }
const far = { kind: "every", everyMs: 86_400_000 }

describe("cron", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ config: { plugins: { cron: { tickMs: 50, retries: 1, retryMs: 1 } } } })
  })
  after(() => gateway.close())
  const socket = (tenant: string, user = "alice", role: "viewer" | "operator" | "admin" = "operator") => gateway.as(role, tenant, user).rpc()
  const create = async (client: RpcClient, given: object = {}) => (await client.call("cron.create", { name: "job", message: "/say done", schedule: far, ...given })).job
  const finished = (client: RpcClient, jobId: string) => client.next("cron", (event) => event.jobId === jobId && event.action !== "running")
  const refusal = async (client: RpcClient, method: string, params: object) => (await client.request(method, params as Record<string, unknown>)).error?.code

  it("makes, lists, changes, switches and removes a job, in the members that clients read", async () => {
    const alice = await socket("wire")
    const job = await create(alice, { name: "morning-report", schedule: daily, agentId: "default" })
    deepEqual(Object.keys(job).sort(), [
      ..."agentId createdAtMs deleteAfterRun deliver deliverChannel deliverTo enabled id name payload schedule state stateless tenantId updatedAtMs userId wakeHeartbeat".split(
        " ",
      ),
    ])
    deepEqual([job.payload, job.schedule, job.stateless, job.enabled], [{ kind: "agent_turn", message: "/say done", deliver: false }, daily, true, true])
    match(new Date(job.state.nextRunAtMs).toISOString(), /T02:00:00/)
    deepEqual(await alice.call("cron.list"), { jobs: [job], status: { enabled: true, jobs: 1 } })
    const changed = (await alice.call("cron.update", { jobId: job.id, patch: { message: "/say more" } })).job
    deepEqual([changed.payload.message, changed.state.nextRunAtMs], ["/say more", job.state.nextRunAtMs])
    deepEqual(await alice.call("cron.toggle", { jobId: job.id, enabled: false }), { jobId: job.id, enabled: false })
    deepEqual([(await alice.call("cron.list")).jobs, (await alice.call("cron.list", { includeDisabled: true })).jobs.length], [[], 1])
    deepEqual(await alice.call("cron.status"), { enabled: true, jobs: 1 })
    deepEqual(await alice.call("cron.delete", { jobId: job.id }), { deleted: true })
    equal(await refusal(alice, "cron.runs", { jobId: job.id }), "NOT_FOUND")
    const { rows } = await gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [job.id])
    deepEqual(
      rows.map(({ action }) => action),
      ["cron.created", "cron.updated", "cron.toggled", "cron.deleted"],
    )
  })

  it("removes the jobs of an agent with it, whichever name they use", async () => {
    const admin = await socket("gone", "root", "admin")
    const { body: agent } = await gateway.as("admin", "gone", "root").post("/v1/agents", { agent_key: "clerk", display_name: "Clerk", agent_type: "open" })
    const made = [await create(admin, { name: "by-key", agentId: "clerk" }), await create(admin, { name: "by-id", agentId: agent.id }), await create(admin, { name: "of-another" })]
    equal((await gateway.as("admin", "gone", "root").delete(`/v1/agents/${agent.id}`)).status, 200)
    deepEqual(
      (await admin.call("cron.list")).jobs.map(({ name }: { name: string }) => name),
      ["of-another"],
    )
    const { rows } = await gateway.executeSql("SELECT entity_id FROM kernel.activity WHERE action = 'cron.deleted' AND actor_id = 'root' ORDER BY entity_id")
    deepEqual(
      rows.map(({ entity_id }) => entity_id),
      made.slice(0, 2).map(({ id }) => id),
    )
  })

  it("runs a job by hand, also one that is off, and keeps its history", async () => {
    const alice = await socket("hand")
    const job = await create(alice, { enabled: false })
    deepEqual(await alice.call("cron.run", { jobId: job.id, mode: "force" }), { ok: true, ran: true })
    const { payload } = await finished(alice, job.id)
    deepEqual(payload, { action: "completed", jobId: job.id, jobName: "job", userId: "alice", status: "ok" })
    const { entries, total } = await alice.call("cron.runs", { id: job.id })
    deepEqual([total, entries[0].status, entries[0].summary, entries[0].jobId], [1, "ok", "done", job.id])
    ok(entries[0].inputTokens > 0 && entries[0].durationMs >= 0 && entries[0].ts > 0)
    const { state } = (await alice.call("cron.list", { includeDisabled: true })).jobs[0]
    deepEqual([state.lastStatus, "nextRunAtMs" in state], ["ok", false])
    equal(await refusal(alice, "cron.run", { jobId: "nothing" }), "INVALID_REQUEST")
  })

  it("does not start a job twice", async () => {
    const alice = await socket("twice")
    const job = await create(alice, { message: "/slow 20 50" })
    await alice.call("cron.run", { jobId: job.id })
    deepEqual(await alice.call("cron.run", { jobId: job.id }), { ok: true, ran: false })
    await finished(alice, job.id)
    equal((await alice.call("cron.runs", { jobId: job.id })).total, 1)
  })

  it("runs at its time, and a job of one time goes when it has run", async () => {
    const alice = await socket("time")
    const once = await create(alice, { name: "once", schedule: { kind: "at", atMs: Date.now() + 300 } })
    const often = await create(alice, { name: "often", schedule: { kind: "every", everyMs: 1_000 } })
    await Promise.all([finished(alice, once.id), finished(alice, often.id)])
    deepEqual(
      (await alice.call("cron.list")).jobs.map(({ name }: { name: string }) => name),
      ["often"],
    )
    const { messages } = await alice.call("chat.history", { sessionKey: `agent:default:cron:${once.id}` })
    deepEqual(
      messages.map(({ content }: { content: string }) => content),
      ["/say done", "done"],
    )
    await alice.call("cron.delete", { jobId: often.id })
  })

  it("tries a failing run again, and says why it failed", async () => {
    const alice = await socket("fail")
    const job = await create(alice, { message: "/fail auth" })
    await alice.call("cron.run", { jobId: job.id })
    const { payload } = await finished(alice, job.id)
    deepEqual([payload.action, payload.status], ["error", "error"])
    const { entries, total } = await alice.call("cron.runs", { jobId: job.id })
    deepEqual([total, entries[0].status, entries[0].error], [2, "error", payload.error])
    equal((await alice.call("cron.list")).jobs[0].state.lastError, payload.error)
  })

  it("shows a stateless job nothing of its earlier runs, and empties the session of any other", async () => {
    const alice = await socket("state")
    const run = async (id: string, times: number) => {
      for (let round = 1; round <= times; round += 1) {
        await alice.call("cron.run", { jobId: id })
        while ((await alice.call("cron.runs", { jobId: id })).entries.filter(({ status }: { status: string }) => status === "ok").length < round) await sleep(30)
      }
      const { entries } = await alice.call("cron.runs", { jobId: id })
      const { messages } = await alice.call("chat.history", { sessionKey: `agent:default:cron:${id}` })
      return { tokens: new Set(entries.map(({ inputTokens }: { inputTokens: number }) => inputTokens)).size, messages: messages.length }
    }
    deepEqual(await run((await create(alice)).id, 2), { tokens: 1, messages: 4 })
    deepEqual(await run((await create(alice, { stateless: false })).id, 2), { tokens: 1, messages: 2 })
  })

  it("delivers an answer to a session, and says when it could not", async () => {
    const alice = await socket("deliver")
    const sessionKey = "agent:default:ws:direct:reports"
    await alice.call("chat.send", { sessionKey, message: "/say hello" })
    const job = await create(alice, { deliver: true, to: sessionKey })
    await alice.call("cron.run", { jobId: job.id })
    await finished(alice, job.id)
    const { messages } = await alice.call("chat.history", { sessionKey })
    equal(messages.at(-1).content, "[job]\n\ndone")
    const lost = await create(alice, { deliver: true, deliverTo: "agent:default:ws:direct:nowhere" })
    await alice.call("cron.run", { jobId: lost.id })
    const { payload } = await finished(alice, lost.id)
    deepEqual([payload.action, /nowhere/.test(payload.error)], ["completed", true])
  })

  it("refuses what cannot be scheduled", async () => {
    const alice = await socket("bad")
    for (const wrong of [
      { name: "Morning Report" },
      { name: "-x" },
      { message: " " },
      { schedule: { kind: "cron", expr: "* * * *" } },
      { schedule: { kind: "cron", expr: "0 9 * * *", tz: "Mars/Olympus" } },
      { schedule: { kind: "cron", expr: "99 9 * * *" } },
      { schedule: { kind: "every" } },
      { schedule: { kind: "at" } },
      { schedule: undefined },
      { deliver: true, channel: "telegram", to: "123" },
    ])
      equal(await refusal(alice, "cron.create", { name: "job", message: "hi", schedule: far, ...wrong }), "INVALID_REQUEST", JSON.stringify(wrong))
  })

  it("keeps users and tenants apart, and viewers from changing anything", async () => {
    const [alice, bob, admin, globex, viewer] = await Promise.all([
      socket("acme"),
      socket("acme", "bob"),
      socket("acme", "anna", "admin"),
      socket("globex", "gina", "admin"),
      socket("acme", "vera", "viewer"),
    ])
    const job = await create(alice)
    const seen = async (client: RpcClient) => (await client.call("cron.list")).jobs.length
    deepEqual(await Promise.all([alice, bob, admin, globex, viewer].map(seen)), [1, 0, 1, 0, 0])
    for (const method of ["cron.update", "cron.toggle", "cron.delete", "cron.run", "cron.runs", "cron.status"]) {
      const params = { jobId: job.id, patch: {}, enabled: true }
      equal(await refusal(bob, method, params), "UNAUTHORIZED", method)
      equal(await refusal(globex, method, params), method === "cron.run" ? "INVALID_REQUEST" : "NOT_FOUND", method)
    }
    equal(await refusal(viewer, "cron.create", { name: "job", message: "hi", schedule: far }), "UNAUTHORIZED")
    equal((await admin.call("cron.update", { jobId: job.id, patch: { name: "annas" } })).job.userId, "alice")
    await admin.call("cron.run", { jobId: job.id })
    await finished(alice, job.id)
    equal([...bob.events, ...globex.events].filter(({ event }) => event === "cron").length, 0)
  })

  it("speaks with today's command-line client in its own shapes", async () => {
    const cli = await openRpc(gateway.url)
    await cli.call("connect", { token: (await gateway.as("operator", "cli", "cli")).key, user_id: "cli" })
    const made = await cli.call("cron.create", { agent_id: "default", name: "report", cron_expression: "0 9 * * *", timezone: "Europe/Berlin", payload: { message: "/say hi" } })
    equal(made.id, made.job.id)
    const changed = await cli.call("cron.update", { id: made.id, name: "weekly", cron_expression: "0 9 * * 1" })
    deepEqual([changed.name, changed.schedule.expr], ["weekly", "0 9 * * 1"])
    const [listed] = await cli.call("cron.list")
    deepEqual([listed.agent_id, listed.cron_expression, listed.last_status, typeof listed.next_run_at], ["default", "0 9 * * 1", "", "string"])
    equal((await cli.call("cron.status", { id: made.id })).id, made.id)
    deepEqual(await cli.call("cron.toggle", { id: made.id }), { jobId: made.id, enabled: false })
    await cli.call("cron.run", { id: made.id })
    await finished(cli, made.id)
    const [entry] = await cli.call("cron.runs", { id: made.id, limit: 5 })
    deepEqual(
      ["id", "started_at", "duration_ms", "total_tokens", "status"].filter((member) => entry[member] === undefined),
      [],
    )
  })
})
