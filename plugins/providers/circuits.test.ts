import { deepEqual, equal, match } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type RoutingRoom, routingRoom, sayWords, tried } from "../../test/routing-room.ts"
import type { Upstream } from "../../test/upstream/openai.ts"

const breakMs = 1_500

describe("a circuit", () => {
  let room: RoutingRoom
  let weak: Upstream
  before(async () => {
    room = await routingRoom({ config: { plugins: { providers: { maxAttempts: 1, breakAfter: 3, breakMs } } } })
    weak = await room.provider("weak")
    await room.provider("strong")
    await room.agent("chained", { provider: "weak", model: "m" }, [{ provider: "strong", model: "words-2" }])
    await room.agent("alone", { provider: "weak", model: "m" })
    await room.agent("elsewhere", { provider: "weak", model: "words-2" })
  })
  after(() => room.close())

  const attempts = async (agent: string) => {
    await room.ask(agent, agent)
    return tried(await room.ended(agent))
  }
  let broken = true
  const answer: Parameters<Upstream["script"]>[0] = async ({ body }, reply) => {
    if (broken && body.model === "m") return reply.json(500, '{"error":{"message":"Oops."}}')
    if (body.model === "m") await sleep(300)
    if (!reply.gone) sayWords(reply, 2)
  }

  it("opens after some failed calls in a row, and sends further ones on at once", async () => {
    weak.script(answer)
    for (let call = 0; call < 3; call += 1) deepEqual(await attempts("chained"), ["weak/m provider_overloaded", "strong/words-2"])
    equal(weak.requests.length, 3)
    deepEqual(await attempts("chained"), ["weak/m circuit_open", "strong/words-2"])
    equal(weak.requests.length, 3)
  })

  it("is told to a client that has nobody else, with the time to wait", async () => {
    const { error } = await room.ask("alone", "alone")
    equal(error?.status, 503)
    match(error?.message ?? "", /The model m of the provider weak has failed several times in a row/)
    match(error?.headers?.get("retry-after") ?? "", /^[12]$/)
  })

  it("is that of one model: the others of the provider answer", async () => {
    equal((await room.ask("elsewhere", "elsewhere")).text, "word0 word1")
  })

  it("lets one call try when its time is over, and stays open when that one fails", async () => {
    await sleep(breakMs)
    deepEqual(await attempts("chained"), ["weak/m provider_overloaded", "strong/words-2"])
    deepEqual(await attempts("chained"), ["weak/m circuit_open", "strong/words-2"])
  })

  it("is not closed by a client that leaves in mid-try, nor held open by it", async () => {
    broken = false
    await sleep(breakMs)
    const leave = new AbortController()
    const before = weak.requests.length
    const left = room.ask("leaves", "chained", leave.signal)
    while (weak.requests.length === before) await sleep(5)
    leave.abort()
    await left
    equal((await room.ended("leaves")).status, "cancelled")
    deepEqual(
      (await Promise.all(["one", "two"].map((user) => room.ask(user, "chained")))).map(({ text }) => text),
      ["word0 word1", "word0 word1"],
    )
    // One of the two was the next to try; the other did not wait for it.
    deepEqual([...tried(await room.ended("one")), ...tried(await room.ended("two"))].sort(), ["strong/words-2", "weak/m", "weak/m circuit_open"])
  })

  it("is closed by an answer", async () => {
    const before = weak.requests.length
    deepEqual((await Promise.all(["three", "four"].map((user) => room.ask(user, "chained")))).length, 2)
    equal(weak.requests.length, before + 2)
    deepEqual(await attempts("chained"), ["weak/m"])
  })

  it("is closed when an administrator has changed the provider", async () => {
    broken = true
    for (let call = 0; call < 4; call += 1) await room.ask("alone", "alone")
    deepEqual(await attempts("chained"), ["weak/m circuit_open", "strong/words-2"])
    broken = false
    await room.gateway.as("admin").put("/v1/providers/weak", { display_name: "Mended" })
    deepEqual(await attempts("chained"), ["weak/m"])
  })
})
