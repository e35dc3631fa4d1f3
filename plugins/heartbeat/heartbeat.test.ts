import { deepEqual, equal, match, ok } from "node:assert/strict"
import { mock } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

type Row = Record<string, unknown>
const config = { plugins: { heartbeat: { tickMs: 50, retryMs: 1, keepLogs: 3 }, cron: { tickMs: 50 } } }

describe("heartbeat", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ config })
  })
  after(() => gateway.close())
  const socket = (tenant: string, role: "viewer" | "operator" | "admin" = "admin", user = "anna") => gateway.as(role, tenant, user).rpc()
  const outcomes = (client: RpcClient) => client.events.filter(({ event, payload }) => event === "heartbeat" && payload.action !== "running").map(({ payload }) => payload as Row)
  /** What comes of the beat that `work` brings about. */
  async function outcome(client: RpcClient, work: () => Promise<unknown>): Promise<Row> {
    const before = outcomes(client).length
    await work()
    while (outcomes(client).length === before) await sleep(20)
    return outcomes(client).at(-1) as Row
  }
  const logs = async (client: RpcClient): Promise<Row[]> => (await client.call("heartbeat.logs")).logs
  const sessions = async (client: RpcClient): Promise<string[]> => (await client.call("sessions.list", { channel: "heartbeat" })).sessions.map(({ key }: { key: string }) => key)
  const refusal = async (client: RpcClient, method: string, params: Row) => (await client.request(method, params)).error?.code

  /** Sets it up, beats, and answers what came of it. */
  async function beat(client: RpcClient, settings: Row): Promise<Row> {
    await client.call("heartbeat.set", settings)
    return outcome(client, async () => deepEqual(await client.call("heartbeat.test", {}), { ok: true }))
  }
  /** As when its time has come. */
  const due = (id: string) => gateway.executeSql("UPDATE heartbeat.heartbeats SET next_run_at = now() WHERE id = $1", [id])

  it("is set up, changed and switched, in the members that clients read", async () => {
    const anna = await socket("wire")
    deepEqual(await anna.call("heartbeat.get", { agentId: "default" }), { heartbeat: null })
    equal(await refusal(anna, "heartbeat.toggle", { enabled: true }), "NOT_FOUND")
    const { heartbeat } = await anna.call("heartbeat.set", { agentId: "default" })
    const { id, agentId, createdAt, updatedAt, nextRunAt, ...rest } = heartbeat
    deepEqual(rest, {
      enabled: true,
      intervalSec: 1_800,
      isolatedSession: true,
      lightContext: false,
      ackMaxChars: 300,
      maxRetries: 2,
      runCount: 0,
      suppressCount: 0,
    })
    match(agentId, /^[0-9a-f-]{36}$/)
    ok(Math.abs(Date.parse(nextRunAt) - Date.now() - 1_800_000) < 20_000)
    const changed = (await anna.call("heartbeat.set", { agentId, prompt: "look", model: "m", timezone: "Asia/Tokyo", activeHoursStart: "08:00", activeHoursEnd: "22:00" }))
      .heartbeat
    deepEqual([changed.id, changed.prompt, changed.intervalSec, changed.timezone, changed.activeHoursStart], [id, "look", 1_800, "Asia/Tokyo", "08:00"])
    equal((await anna.call("heartbeat.set", { agentId, prompt: "" })).heartbeat.nextRunAt, changed.nextRunAt)
    deepEqual(await anna.call("heartbeat.toggle", { agentId, enabled: false }), { agentId, enabled: false })
    const off = (await anna.call("heartbeat.get", {})).heartbeat
    deepEqual(
      ["nextRunAt", "prompt"].map((name) => name in off),
      [false, false],
    )
    const { rows } = await gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_type = 'heartbeat' AND entity_id = $1 ORDER BY created_at", [agentId])
    deepEqual(
      rows.map(({ action }) => action),
      ["heartbeat.set", "heartbeat.set", "heartbeat.set", "heartbeat.toggled"],
    )
  })

  it("runs the agent, says so to operators, and keeps what came of it", async () => {
    const anna = await socket("run")
    const oscar = await socket("run", "operator", "oscar")
    const vera = await socket("run", "viewer", "vera")
    const came = await beat(anna, { prompt: "/say two new mails" })
    const { heartbeat } = await anna.call("heartbeat.get", {})
    deepEqual(came, { action: "completed", agentId: heartbeat.agentId, agentKey: "default", status: "ok" })
    deepEqual([heartbeat.runCount, heartbeat.suppressCount, heartbeat.lastStatus], [1, 0, "ok"])
    const [{ id, ranAt, createdAt, durationMs, inputTokens, outputTokens, ...log }] = (await logs(vera)) as [Row]
    deepEqual(log, { heartbeatId: heartbeat.id, agentId: heartbeat.agentId, status: "ok", summary: "two new mails" })
    ok((durationMs as number) >= 0 && (inputTokens as number) > 0 && (outputTokens as number) > 0)
    match((await sessions(anna))[0] as string, /^agent:default:heartbeat:\d{13}$/)
    await oscar.next("heartbeat", ({ action }) => action === "completed")
    deepEqual(
      vera.events.filter(({ event }) => event === "heartbeat"),
      [],
    )
  })

  for (const [answer, settings, action] of [
    ["NO_REPLY", {}, "suppressed"],
    ["All quiet. NO_REPLY", {}, "suppressed"],
    ["NO_REPLY All quiet.", { ackMaxChars: 11 }, "suppressed"],
    ["NO_REPLY All quiet!!", { ackMaxChars: 10 }, "completed"],
    ["All quiet.", {}, "completed"],
    ["Say NO_REPLY to them", {}, "completed"],
  ] as const) {
    it(`is ${action} when the answer is "${answer}"${"ackMaxChars" in settings ? ` and ${settings.ackMaxChars} characters may be lost` : ""}`, async () => {
      const anna = await socket("quiet")
      equal((await beat(anna, { ackMaxChars: 300, ...settings, prompt: `/say ${answer}` })).action, action)
    })
  }

  it("counts what it has kept back", async () => {
    const anna = await socket("quiet")
    const { runCount, suppressCount } = (await anna.call("heartbeat.get", {})).heartbeat
    deepEqual([runCount, suppressCount], [6, 3])
  })

  it("goes through the checklist, with all that the agent is told or without", async () => {
    const anna = await socket("list")
    deepEqual(await anna.call("heartbeat.checklist.get", {}), { content: "" })
    deepEqual(await anna.call("heartbeat.checklist.set", { content: "- mails\n".repeat(500) }), { ok: true, length: 4_000 })
    equal((await anna.call("heartbeat.checklist.get", { agentId: "default" })).content.length, 4_000)
    await anna.call("agents.files.set", { agentId: "default", name: "SOUL.md", content: "kind ".repeat(800) })
    await beat(anna, {})
    await beat(anna, { lightContext: true })
    const [light, whole] = (await logs(anna)).map(({ inputTokens }) => inputTokens as number) as [number, number]
    ok(light > 1_000 && light < 1_200, `${light}`)
    ok(whole > light + 900, `${whole}`)
    await gateway.as("admin", "list", "anna").post("/v1/providers", { name: "words", provider_type: "loopback" })
    await beat(anna, { providerName: "words", model: "loopback-2" })
    const { sessions } = await anna.call("sessions.list", { channel: "heartbeat", limit: 1 })
    deepEqual([sessions[0].provider, sessions[0].model], ["words", "loopback-2"])
  })

  it("delivers to a session, and says why it could not", async () => {
    const anna = await socket("deliver")
    const sessionKey = "agent:default:ws:direct:reports"
    await anna.call("chat.send", { sessionKey, message: "/say hello" })
    const { targets } = await anna.call("heartbeat.targets", {})
    deepEqual(targets, [{ channel: "session", chatId: sessionKey, title: "default: ws:direct:reports", kind: "dm" }])
    const to = async (channel: string, chatId: string) => (await beat(anna, { prompt: "/say news", channel, chatId })).reason as string | undefined
    deepEqual(
      [await to("session", sessionKey), /telegram/.test((await to("telegram", "1")) ?? ""), /nowhere/.test((await to("session", "agent:default:nowhere")) ?? "")],
      [undefined, true, true],
    )
    deepEqual(
      (await logs(anna)).map(({ status, skipReason }) => [status, skipReason !== undefined]),
      [
        ["ok", true],
        ["ok", true],
        ["ok", false],
      ],
    )
    const { messages } = await anna.call("chat.history", { sessionKey })
    match(messages.at(-1).content, /news$/)
  })

  it("tries what fails again, and says why it failed", async () => {
    const anna = await socket("fail")
    const { action, error } = await beat(anna, { prompt: "/fail auth", maxRetries: 1 })
    deepEqual([action, (await logs(anna)).map((log) => [log.status, log.error])], ["error", Array(2).fill(["error", error])])
    equal((await anna.call("heartbeat.get", {})).heartbeat.lastError, error)
  })

  it("keeps one session, or one for each beat that the log still has", async () => {
    const anna = await socket("sessions")
    for (let index = 0; index < 5; index += 1) await beat(anna, { prompt: "/say one" })
    equal((await logs(anna)).length, 3)
    while ((await sessions(anna)).length > 3) await sleep(30)
    for (let index = 0; index < 2; index += 1) await beat(anna, { isolatedSession: false })
    const { messages } = await anna.call("chat.history", { sessionKey: "agent:default:heartbeat" })
    equal(messages.length, 4)
  })

  it("comes by itself when it is due, and is skipped with its reason", async () => {
    const anna = await socket("due")
    const { heartbeat } = await anna.call("heartbeat.set", {})
    const comes = async (settings: Row) => {
      await anna.call("heartbeat.set", settings)
      return outcome(anna, () => due(heartbeat.id))
    }
    const clock = (ms: number) => new Date(Date.now() + ms).toISOString().slice(11, 16)
    const reasons = [await comes({}), await comes({ prompt: "/say hi", activeHoursStart: clock(3_600_000), activeHoursEnd: clock(7_200_000) })]
    deepEqual(
      reasons.map(({ action }) => action),
      ["skipped", "skipped"],
    )
    match(`${reasons[0]?.reason} ${reasons[1]?.reason}`, /checklist.*active hours/)
    equal((await anna.call("heartbeat.get", {})).heartbeat.runCount, 0)
    equal((await comes({ activeHoursStart: "", activeHoursEnd: "" })).action, "completed")
    const after = (await anna.call("heartbeat.get", {})).heartbeat
    ok(Date.parse(after.nextRunAt) > Date.now())
    await anna.call("heartbeat.toggle", { enabled: false })
    equal((await beat(anna, { enabled: false })).action, "completed")
  })

  it("comes when a job of cron wakes it", async () => {
    const anna = await socket("wake")
    await anna.call("heartbeat.set", { prompt: "/say awake" })
    const { job } = await anna.call("cron.create", { name: "waker", message: "/say done", schedule: { kind: "every", everyMs: 86_400_000 }, wakeHeartbeat: true })
    equal((await outcome(anna, () => anna.call("cron.run", { jobId: job.id }))).action, "completed")
  })

  it("refuses what is no setting, agents that are not there, and everybody below admin", async () => {
    const anna = await socket("bad")
    for (const wrong of [
      { intervalSec: 299 },
      { maxRetries: 11 },
      { activeHoursStart: "25:00" },
      { activeHoursEnd: "8:00" },
      { timezone: "Mars/Olympus" },
      { providerName: "nobody" },
    ])
      equal(await refusal(anna, "heartbeat.set", wrong), "INVALID_REQUEST", JSON.stringify(wrong))
    const { agentId } = (await (await socket("wire")).call("heartbeat.get", {})).heartbeat
    for (const method of ["get", "set", "test", "logs", "checklist.get", "targets"])
      for (const ref of ["nobody", agentId]) equal(await refusal(anna, `heartbeat.${method}`, { agentId: ref }), "NOT_FOUND", method)
    const oscar = await socket("bad", "operator", "oscar")
    for (const method of ["set", "toggle", "test", "checklist.set"]) equal(await refusal(oscar, `heartbeat.${method}`, { enabled: true, content: "" }), "UNAUTHORIZED")
  })

  it("speaks with today's command-line client in its own shapes", async () => {
    const cli = await openRpc(gateway.url)
    await cli.call("connect", { token: (await gateway.as("admin", "cli", "cli")).key, user_id: "cli" })
    equal((await cli.call("heartbeat.set", { interval: 600, url: "http://127.0.0.1/", prompt: "/say hi" })).heartbeat.intervalSec, 600)
    equal((await cli.call("heartbeat.checklist.set", { data: "- mails" })).length, 7)
    await outcome(cli, () => cli.call("heartbeat.test", {}))
    const [log] = await cli.call("heartbeat.logs", { limit: 5 })
    deepEqual([log.status, typeof log.timestamp, typeof log.latency], ["ok", "string", "number"])
    await cli.call("chat.send", { sessionKey: "agent:default:cli:direct:1", message: "/say hello" })
    const [{ name, url, status, last_check }] = await cli.call("heartbeat.targets", {})
    deepEqual([name, url, status, last_check], ["default: cli:direct:1", "", "", ""])
  })
})

describe("a night of heartbeats", () => {
  it("keeps to its active hours when summer time begins", async () => {
    const gateway = await testGateway({ config: { plugins: { heartbeat: { tickMs: 50 } } } })
    const hour = 3_600_000
    const from = Date.parse("2027-03-27T23:30:00Z")
    mock.timers.enable({ apis: ["Date"], now: from })
    try {
      const anna = await gateway.as("admin", "acme", "anna").rpc()
      await anna.call("heartbeat.set", { prompt: "/say hi", intervalSec: 1_800, activeHoursStart: "01:00", activeHoursEnd: "04:00", timezone: "Europe/Berlin" })
      for (let at = from; at <= from + 4 * hour; at += hour / 4) {
        mock.timers.setTime(at)
        for (;;) {
          await sleep(60)
          const { nextRunAt, lastStatus } = (await anna.call("heartbeat.get", {})).heartbeat
          if (Date.parse(nextRunAt) > at && lastStatus !== "running") break
        }
      }
      const { logs } = await anna.call("heartbeat.logs", { limit: 50 })
      // From one to four o'clock, which on that night are two hours.
      deepEqual(logs.map(({ status, ranAt }: Row) => `${status} ${(ranAt as string).slice(11, 16)}`).reverse(), ["ok 00:00", "ok 00:30", "ok 01:00", "ok 01:30"])
    } finally {
      mock.timers.reset()
      await gateway.close()
    }
  }).timeout(120_000)
})
