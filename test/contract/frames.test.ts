import { deepEqual, equal, ok } from "node:assert/strict"
import { once } from "node:events"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import fc from "fast-check"
import WebSocket from "ws"
import { hostileText, spoilt } from "./spoilt.ts"

interface Frame {
  type: string
  id?: string | number
  ok?: boolean
  error?: { code: string; message: string }
}
const whole = { type: "req", id: "spoilt", method: "sessions.list", params: { agentId: "default", limit: 1 } }
const anyText = fc.oneof(
  hostileText(70_000),
  fc.json(),
  fc.constantFrom(
    "[".repeat(100_000),
    "null",
    "[]",
    '"req"',
    "{",
    '{"type":"req"}',
    '{"type":"req","id":{},"method":"health"}',
    '{"type":"req","id":"x","id":"y","method":"\\u0000"}',
  ),
)

// What a method makes of its parameters is tried with each method; here it is the frame around them that is wrong.
describe("frames that no client should send", function frames() {
  this.timeout(300_000)
  let gateway: TestGateway
  let socket: WebSocket
  const came: Frame[] = []
  let awaited: { id: string; resolve: (frame: Frame) => void; reject: (error: Error) => void } | undefined
  before(async () => {
    gateway = await testGateway()
    socket = new WebSocket(`${gateway.url.replace(/^http/, "ws")}/ws`)
    await once(socket, "open")
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Frame
      came.push(frame)
      if (frame.type === "res" && awaited !== undefined && frame.id === awaited.id) awaited.resolve(frame)
    })
    socket.on("close", (code) => awaited?.reject(new Error(`closed with ${code}`)))
    await answerTo({ type: "req", id: "first", method: "connect", params: { token: gateway.token, user_id: "system" } })
  })
  after(async () => {
    socket.terminate()
    await gateway.close()
  })

  function answerTo(frame: { type: "req"; id: string; method: string; params?: object }): Promise<Frame> {
    socket.send(JSON.stringify(frame))
    return new Promise((resolve, reject) => {
      awaited = { id: frame.id, resolve, reject }
    })
  }

  it("are answered in the protocol's own form, and the socket goes on", async () => {
    let calls = 0
    const text = fc.oneof({ weight: 3, arbitrary: spoilt(whole, whole).map((frame) => JSON.stringify(frame) ?? "") }, { weight: 2, arbitrary: anyText })
    await fc.assert(
      fc.asyncProperty(text, async (sent) => {
        came.length = 0
        socket.send(sent)
        const { ok: alive } = await answerTo({ type: "req", id: `alive-${++calls}`, method: "health" })
        ok(alive, sent.slice(0, 500))
        for (const { type, ok: good, error } of came.filter(({ type }) => type !== "event")) {
          equal(type, "res", sent.slice(0, 500))
          if (!good) deepEqual([typeof error?.code, typeof error?.message, error?.code === "INTERNAL"], ["string", "string", false], sent.slice(0, 500))
        }
      }),
      { numRuns: 300 },
    )
    deepEqual(
      gateway.logs.filter((line) => line.includes("unexpected failure")),
      [],
    )
  })
})
