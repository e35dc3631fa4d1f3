import { deepEqual, equal } from "node:assert/strict"
import { definePlugin } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { BackOff } from "./back-off.ts"
import { type Candidate, givenPlugin } from "./discover.ts"

describe("the back-off of plugins that do not come up", () => {
  const misfit = { reason: "it fell", remedy: "Mend it." }
  const candidate = givenPlugin(definePlugin({ id: "broken", version: "1.0.0", sdk: "^1.0.0" }, () => ({})))

  it("doubles with each failure of the same code and settings, up to ten minutes", () => {
    let now = 0
    const backOff = new BackOff(() => now)
    const waits: number[] = []
    for (let failure = 0; failure < 8; failure += 1) {
      backOff.note(candidate, "{}", misfit)
      const began = now
      while (backOff.waits(candidate, "{}")) now += 1_000
      waits.push((now - began) / 1_000)
    }
    deepEqual(waits, [15, 30, 60, 120, 240, 480, 600, 600])
  })

  it("is none for other code, other settings, and who is asked for", () => {
    const backOff = new BackOff(() => 0)
    backOff.note(candidate, "{}", misfit)
    const other: Candidate = { ...candidate, build: "other" }
    deepEqual([backOff.waits(candidate, "{}"), backOff.waits(candidate, '{"a":1}'), backOff.waits(other, "{}")], [misfit, undefined, undefined])
    backOff.forget("broken")
    equal(backOff.waits(candidate, "{}"), undefined)
  })

  describe("of a gateway", () => {
    let gateway: TestGateway
    let tries = 0
    const broken = definePlugin({ id: "broken", version: "1.0.0", sdk: "^1.0.0" }, () => {
      tries += 1
      throw new Error("it fell")
    })
    before(async () => {
      gateway = await testGateway({ plugins: [broken] })
    })
    after(() => gateway.close())

    it("leaves a broken one alone while others change, and tries it when somebody asks", async () => {
      const owner = await gateway.as("owner")
      await owner.post("/v1/plugins/activity/disable")
      equal(tries, 1)
      const { body } = await owner.get("/v1/plugins/broken")
      deepEqual([body.state, body.reason], ["failed", "its activation failed: it fell"])
      await owner.post("/v1/plugins/broken/enable")
      equal(tries, 2)
    })
  })
})
