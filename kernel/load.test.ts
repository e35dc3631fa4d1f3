import { equal } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { Load } from "./load.ts"

/** Longer than the limit; then a turn of the loop, in which what was seen is noted. */
async function stop(): Promise<void> {
  const until = performance.now() + Load.delayLimitMs + 300
  while (performance.now() < until) JSON.parse('{"busy":true}')
  await sleep(50)
}

describe("load", () => {
  it("is none when the loop stands still once, is some when it does so again and again, and is over when it moves", async () => {
    const load = new Load()
    try {
      // The first look of the histogram has nothing to compare with.
      await sleep(50)
      await stop()
      equal(load.overloaded, false)
      // What else the machine does may fall between two of them.
      while (!load.overloaded) await stop()
      while (load.overloaded) await sleep(50)
    } finally {
      load.stop()
    }
  })
})
