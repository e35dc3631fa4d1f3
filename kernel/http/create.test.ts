import { deepEqual, equal, match, ok } from "node:assert/strict"
import { route, scratchHttp, viewer } from "./scratch.test.ts"

describe("limits", () => {
  it("refuse work under too much load, before anything is looked at; public routes answer", async () => {
    const room = await scratchHttp({ open: route({ path: "/open", auth: "public" }), work: route({ path: "/work" }) }, { overloaded: () => true })
    const response = await fetch(`${room.url}/work`, { headers: viewer })
    deepEqual([response.status, response.headers.get("retry-after"), room.shown.length], [503, "2", 0])
    equal((await fetch(`${room.url}/open`)).status, 200)
    await room.close()
  })

  it("spend the budget of routes that say so: 429 with Retry-After", async () => {
    const room = await scratchHttp({ chat: route({ path: "/chat", limits: { rate: true } }), free: route({ path: "/free" }) }, { waitMs: 12_001 })
    const response = await fetch(`${room.url}/chat`, { headers: viewer })
    deepEqual([response.status, response.headers.get("retry-after"), ((await response.json()) as { code: string }).code], [429, "13", "RESOURCE_EXHAUSTED"])
    equal((await fetch(`${room.url}/free`, { headers: viewer })).status, 200)
    await room.close()
  })

  it("end a handler's signal when its client leaves, and log no failure", async () => {
    let began: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      began = resolve
    })
    let reason: unknown
    const room = await scratchHttp({
      wait: route({ path: "/wait" }, ({ signal }) => {
        began()
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason
            reject(signal.reason)
          }),
        )
      }),
    })
    const socket = await room.open()
    socket.write("GET /wait HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer viewer\r\n\r\n")
    await started
    socket.destroy()
    while (reason === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
    match(String(reason), /client is gone/)
    ok(!room.logs.some((line) => line.includes('"level":50')))
    await room.close()
  })

  it("end all signals when the gateway stops: 503, without a warning about listeners", async () => {
    const warnings: Error[] = []
    const remember = (warning: Error) => warnings.push(warning)
    process.on("warning", remember)
    let waiting = 0
    const room = await scratchHttp({
      wait: route({ path: "/wait" }, ({ signal }) => {
        waiting += 1
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      }),
    })
    const answers = Array.from({ length: 30 }, () => fetch(`${room.url}/wait`, { headers: viewer }))
    while (waiting < 30) await new Promise((resolve) => setTimeout(resolve, 5))
    room.stop()
    deepEqual(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([503]))
    await new Promise((resolve) => setImmediate(resolve))
    process.off("warning", remember)
    deepEqual(warnings, [])
    await room.close()
  })
})
