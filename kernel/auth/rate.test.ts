import { deepEqual, equal } from "node:assert/strict"
import fc from "fast-check"
import { createRateLimit } from "./rate.ts"

describe("the request budget", () => {
  let time: number
  const limit = (perMinute: number) => createRateLimit(perMinute, () => time)
  beforeEach(() => {
    time = 1_000
  })

  it("lets five through at once, then says the exact wait", () => {
    const spend = limit(60)
    deepEqual(
      [1, 2, 3, 4, 5].map(() => spend("ana")),
      [0, 0, 0, 0, 0],
    )
    equal(spend("ana"), 1_000)
    time += 400
    equal(spend("ana"), 600)
    time += 600
    equal(spend("ana"), 0)
  })

  it("keeps a budget for each key", () => {
    const spend = limit(1)
    for (let call = 0; call < 5; call += 1) spend("ana")
    equal(spend("ana"), 60_000)
    equal(spend("bob"), 0)
  })

  it("has no limit at 0", () => {
    const spend = limit(0)
    for (let call = 0; call < 1_000; call += 1) equal(spend("ana"), 0)
  })

  it("never lets more through than the burst and the rate, however the calls come", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 200 }), (perMinute, pauses) => {
        const spend = limit(perMinute)
        const began = time
        let passed = 0
        for (const pause of pauses) {
          time += pause
          const wait = spend("ana")
          if (wait === 0) passed += 1
          else {
            time += wait
            equal(spend("ana"), 0, "the wait that was named is long enough")
            passed += 1
          }
        }
        return passed <= 5 + ((time - began) * perMinute) / 60_000 + 1e-6
      }),
    )
  })
})
