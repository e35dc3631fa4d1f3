import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type RoutingRoom, routingRoom, sayWords, tried } from "../../test/routing-room.ts"
import type { Upstream } from "../../test/upstream/openai.ts"

describe("a provider's places", () => {
  let room: RoutingRoom
  let narrow: Upstream
  let tight: Upstream
  let under = 0
  let most = 0
  const slowly: Parameters<Upstream["script"]>[0] = async ({ closed }, reply) => {
    under += 1
    most = Math.max(most, under)
    void closed.then(() => {
      under -= 1
    })
    await sleep(30)
    if (!reply.gone) sayWords(reply, 2)
  }
  before(async () => {
    room = await routingRoom()
    narrow = await room.provider("narrow", { settings: { routing: { max_concurrent: 4, max_wait_ms: 60_000 } } })
    tight = await room.provider("tight", { settings: { routing: { max_concurrent: 1, max_queued: 1, max_wait_ms: 400 } } })
    await room.provider("wide")
    await room.agent("narrow", { provider: "narrow", model: "m" })
    await room.agent("tight", { provider: "tight", model: "hang-after-1" })
    await room.agent("tight-chained", { provider: "tight", model: "hang-after-1" }, [{ provider: "wide", model: "words-2" }])
  })
  after(() => room.close())

  it("hold under 50 calls at once, and all are answered", async () => {
    narrow.script(slowly)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => room.ask(`user-${at}`, "narrow")))
    deepEqual([...new Set(answers.map(({ text, error }) => error?.message ?? text))], ["word0 word1"])
    equal(narrow.requests.length, 50)
    ok(most <= 4, `${most} at once`)
  })

  it("are given back by answers that fail, break off or are left", async () => {
    for (const model of ["status-400", "cut-after-1", "hang-after-1", "limited-30"]) {
      narrow.script(undefined)
      await room.gateway.as("admin").put("/v1/agents/narrow", { model })
      await Promise.all(Array.from({ length: 6 }, (_, at) => room.ask(`breaks-${at}`, "narrow", AbortSignal.timeout(500))))
    }
    narrow.script(slowly)
    const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => room.ask(`after-${at}`, "narrow")))
    deepEqual([...new Set(answers.map(({ text, error }) => error?.message ?? text))], ["word0 word1"])
  })

  it("that stay taken send further calls on, or end them with the time to wait", async () => {
    const leave = new AbortController()
    const first = room.ask("holder", "tight", leave.signal)
    while (tight.requests.length === 0) await sleep(5)
    const waits = room.ask("waits", "tight")
    await sleep(50)
    // One waits already, so the next does not.
    equal((await room.ask("chained", "tight-chained")).text, "word0 word1")
    deepEqual(tried(await room.ended("chained")), ["tight/hang-after-1 provider_busy", "wide/words-2"])
    const { error } = await waits
    equal(error?.status, 503)
    match(error?.message ?? "", /The provider tight has 1 calls under way/)
    equal(error?.headers?.get("retry-after"), "1")
    equal(tight.requests.length, 1)
    leave.abort()
    await first
  })

  it("are not waited for by a client that has left", async () => {
    const stay = new AbortController()
    const before = tight.requests.length
    const holds = room.ask("stays", "tight", stay.signal)
    while (tight.requests.length === before) await sleep(5)
    const leave = new AbortController()
    const waits = room.ask("leaves", "tight", leave.signal)
    while ((await room.gateway.executeSql("SELECT 1 FROM sessions.runs WHERE user_id = 'leaves'")).rows.length === 0) await sleep(5)
    await sleep(50)
    leave.abort()
    await waits
    const run = await room.ended("leaves")
    deepEqual([run.status, run.attempts, run.usage.promptTokens], ["cancelled", [], 0])
    stay.abort()
    await holds
    equal(tight.requests.length, before + 1)
  })
})
