import { deepEqual, equal } from "node:assert/strict"
import { mock } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { following, nextRun } from "./schedule.ts"

const hour = 3_600_000
const config = { plugins: { cron: { tickMs: 50, retries: 0 } } }

describe("a day of cron", () => {
  let gateway: TestGateway
  let alice: RpcClient
  before(async () => {
    gateway = await testGateway({ config })
    alice = await gateway.as("operator", "acme", "alice").rpc()
  })
  after(async () => {
    mock.timers.reset()
    await gateway.close()
  })

  const create = async (name: string, schedule: object) => (await alice.call("cron.create", { name, message: `/say ${name}`, schedule })).job.id as string
  const runsOf = async (jobId: string): Promise<number[]> => {
    const { entries } = await alice.call("cron.runs", { jobId, limit: 100 })
    return (entries as { ts: number; status: string }[])
      .filter(({ status }) => status === "ok")
      .map(({ ts }) => ts)
      .sort()
  }

  /** Hour by hour, each long enough for what is due in it to have run. */
  async function pass(from: number, hours: number, jobs: readonly string[]): Promise<void> {
    for (let at = from; at <= from + hours * hour; at += hour / 2) {
      mock.timers.setTime(at)
      for (const id of jobs) {
        for (let settled = false; !settled; ) {
          await sleep(60)
          const job = (await alice.call("cron.list")).jobs.find((found: { id: string }) => found.id === id)
          settled = job.state.nextRunAtMs > at && job.state.lastStatus !== "running"
        }
      }
    }
  }

  for (const [what, midnight, hours, nightly] of [
    ["summer time begins", "2027-03-27T23:00:00Z", 23, "2027-03-28T01:30:00.000Z"],
    ["summer time ends", "2027-10-30T22:00:00Z", 25, "2027-10-31T00:30:00.000Z"],
  ] as const) {
    it(`runs an hourly job in each of its ${hours} hours and a nightly one once when ${what}`, async () => {
      const from = Date.parse(midnight)
      mock.timers.reset()
      mock.timers.enable({ apis: ["Date"], now: from - hour / 4 })
      const tz = "Europe/Berlin"
      const hourly = await create("hourly", { kind: "cron", expr: "0 * * * *", tz })
      const night = await create("nightly", { kind: "cron", expr: "30 2 * * *", tz })
      await pass(from, hours - 0.5, [hourly, night])
      deepEqual(
        (await runsOf(night)).map((ts) => new Date(ts).toISOString()),
        [nightly],
      )
      deepEqual(
        await runsOf(hourly),
        Array.from({ length: hours }, (_, index) => from + index * hour),
      )
      for (const jobId of [hourly, night]) await alice.call("cron.delete", { jobId })
    }).timeout(120_000)
  }

  it("keeps the wall clock of a time zone over a year", () => {
    const schedule = { kind: "cron" as const, expr: "0 9 * * *", tz: "America/New_York" }
    const wall = new Intl.DateTimeFormat("en-GB", { timeZone: schedule.tz, hour: "2-digit", minute: "2-digit" })
    let at = Date.parse("2027-01-01T00:00:00Z")
    for (let day = 0; day < 365; day += 1) {
      at = nextRun(schedule, at) as number
      equal(wall.format(at), "09:00")
    }
    equal(new Date(at).toISOString(), "2027-12-31T14:00:00.000Z")
  })

  it("keeps the beat of an interval, whatever was missed", () => {
    const every = { kind: "every" as const, everyMs: 1_000 }
    deepEqual(
      [following(every, 10_000, 10_200), following(every, 10_000, 13_000), following(every, 10_000, 13_900), following(every, 10_000, 9_000)],
      [11_000, 14_000, 14_000, 11_000],
    )
  })
})

describe("jobs that were due while no gateway ran", () => {
  it("run once when that was not long ago, are skipped when it was, and run anyway when it is their only time", async () => {
    const first = await testGateway({ config })
    const { key } = await first.as("operator", "acme", "alice")
    const client = await first.as("operator", "acme", "alice").rpc()
    const create = async (name: string, schedule: object) => (await client.call("cron.create", { name, message: `/say ${name}`, schedule })).job.id as string
    const at = { kind: "at", atMs: Date.now() + 86_400_000 }
    const every = { kind: "every", everyMs: 3_600_000 }
    const due = { soon: await create("soon", every), late: await create("late", every), once: await create("once", at) }
    await first.close({ keep: true })

    // The database is written while nobody runs, as time would have.
    const second = await testGateway({ on: first.storage, config: { plugins: { cron: { tickMs: 60_000 } } } })
    for (const [id, minutes] of [
      [due.soon, 30],
      [due.late, 90],
      [due.once, 900],
    ] as const)
      await second.executeSql("UPDATE cron.jobs SET next_run_at = now() - make_interval(mins => $2) WHERE id = $1", [id, minutes])
    await second.close({ keep: true })

    const third = await testGateway({ on: first.storage, config })
    const socket = await openRpc(third.url)
    await socket.call("connect", { token: key })
    const ended = async (id: string) => {
      for (;;) {
        const { messages } = await socket.call("chat.history", { sessionKey: `agent:default:cron:${id}` })
        if (messages.some(({ role }: { role: string }) => role === "assistant")) return messages.length
        await sleep(50)
      }
    }
    deepEqual([await ended(due.soon), await ended(due.once)], [2, 2])
    const statuses = async (jobId: string) => (await socket.call("cron.runs", { jobId })).entries.map(({ status }: { status: string }) => status)
    while ((await statuses(due.soon))[0] !== "ok" || (await statuses(due.late)).length === 0) await sleep(50)
    deepEqual([await statuses(due.soon), await statuses(due.late)], [["ok"], ["skipped"]])
    const { jobs } = await socket.call("cron.list")
    deepEqual(
      jobs.filter(({ state }: { state: { nextRunAtMs: number } }) => state.nextRunAtMs > Date.now()).map(({ name }: { name: string }) => name),
      ["late", "soon"],
    )
    socket.close()
    await third.close()
  }).timeout(120_000)
})
