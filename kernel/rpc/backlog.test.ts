import { deepEqual, equal, ok } from "node:assert/strict"
import fc from "fast-check"
import { Backlog } from "./backlog.ts"
import { Outgoing } from "./outgoing.ts"

const flow = { field: "type", key: "runId", merge: ["chunk", "thinking"], text: ["payload", "content"], keep: ["run.completed"] } as const
const event = (type: string, runId: string, content?: string, more: object = {}) =>
  Outgoing.event("agent", { type, runId, ...(content !== undefined && { payload: { content } }), ...more }, flow)
const answer = (id: string) => Outgoing.response(id, { ok: true, payload: {} })

interface Frame {
  type: string
  id?: string
  event?: string
  payload: { type: string; runId: string; seq?: number; payload?: { content: string } }
}
function drained(backlog: Backlog): Frame[] {
  const frames: Frame[] = []
  for (let bytes = backlog.shift(); bytes; bytes = backlog.shift()) frames.push(JSON.parse(bytes.subarray(bytes[1] === 127 ? 10 : bytes[1] === 126 ? 4 : 2).toString()))
  return frames
}
const told = (frames: Frame[]) =>
  frames.map(({ type, id, payload }) => (type === "res" ? `answer ${id}` : `${payload.runId} ${payload.type} ${payload.payload?.content ?? ""}`.trim()))

describe("the backlog of a socket that lags", () => {
  it("joins the texts that follow each other in their own run, and keeps each run's order", () => {
    const backlog = new Backlog()
    for (const [type, run, text] of [
      ["chunk", "a", "1"],
      ["chunk", "b", "x"],
      ["chunk", "a", "2"],
      ["thinking", "a", "hm"],
      ["chunk", "a", "3"],
      ["chunk", "b", "y"],
      ["tool.call", "a"],
      ["chunk", "a", "4"],
      ["run.completed", "b"],
    ] as const) {
      backlog.push(event(type, run, text))
    }
    backlog.push(answer("7"))
    deepEqual(told(drained(backlog)), ["a chunk 12", "b chunk xy", "a thinking hm", "a chunk 3", "a tool.call", "a chunk 4", "b run.completed", "answer 7"])
  })

  it("gives what was joined the members of its last part, so that a client resumes behind it", () => {
    const backlog = new Backlog()
    for (const seq of [1, 2, 3]) backlog.push(event("chunk", "a", String(seq), { seq }))
    deepEqual(
      drained(backlog).map(({ payload }) => payload),
      [{ type: "chunk", runId: "a", payload: { content: "123" }, seq: 3 }],
    )
  })

  it("leaves the frame that other sockets share as it was", () => {
    const shared = event("chunk", "a", "one")
    const slow = new Backlog()
    const slower = new Backlog()
    slow.push(shared)
    slow.push(event("chunk", "a", " two"))
    slower.push(shared)
    deepEqual([...told(drained(slow)), ...told(drained(slower))], ["a chunk one two", "a chunk one"])
  })

  it("joins nothing that lacks the key or the text", () => {
    const backlog = new Backlog()
    for (const payload of [
      { type: "chunk" },
      { type: "chunk", payload: { content: "x" } },
      { type: "chunk", runId: "a" },
      { type: "chunk", runId: "a", payload: { content: 7 } },
      {},
    ]) {
      backlog.push(Outgoing.event("agent", payload, flow))
    }
    equal(backlog.size, 5)
    equal(drained(backlog).length, 5)
  })

  it("drops texts before other events", () => {
    const backlog = new Backlog()
    for (let run = 0; run < 100; run += 1) backlog.push(event("chunk", `r${run}`, "x"))
    for (let run = 0; run < 200; run += 1) backlog.push(event("tool.call", `t${run}`))
    const lines = told(drained(backlog))
    ok(lines.filter((line) => line.includes("chunk")).length < 100)
    equal(lines.filter((line) => line.includes("tool.call")).length, 200)
  })

  it("never drops responses or the ends of runs", () => {
    const backlog = new Backlog()
    for (let index = 0; index < 300; index += 1) {
      backlog.push(event("tool.call", `t${index}`))
      backlog.push(answer(String(index)))
      backlog.push(event("run.completed", `t${index}`))
    }
    const lines = told(drained(backlog))
    equal(lines.filter((line) => line.startsWith("answer")).length, 300)
    equal(lines.filter((line) => line.includes("run.completed")).length, 300)
    ok(lines.filter((line) => line.includes("tool.call")).length < 256)
  })

  it("holds about a megabyte of text and 256 events, whatever comes", () => {
    const backlog = new Backlog()
    for (let index = 0; index < 5_000; index += 1) {
      backlog.push(event("chunk", `r${index % 3}`, "x".repeat(10_000)))
      backlog.push(event("tool.call", `r${index % 3}`))
      ok(backlog.size <= 256)
    }
    ok(drained(backlog).reduce((sum, { payload }) => sum + (payload.payload?.content.length ?? 0), 0) <= 1 << 20)
  })

  it("does not look at all that waits for each frame that comes", () => {
    const backlog = new Backlog()
    for (let index = 0; index < 400_000; index += 1) backlog.push(event(index % 2 ? "chunk" : "run.completed", `r${index % 500}`, "x"))
    // With a look at all of them for each it would take longer than a test may.
    equal(backlog.size, 200_000)
  })

  it("adds up to every text, with all else in its place, as long as nothing is dropped", () => {
    const step = fc.record({
      run: fc.constantFrom("a", "b", "c"),
      type: fc.constantFrom("chunk", "chunk", "chunk", "thinking", "tool.call", "run.completed"),
      text: fc.string({ maxLength: 5 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const backlog = new Backlog()
        for (const { type, run, text } of steps) backlog.push(event(type, run, text))
        const inOrder = (list: { type: string; run: string; text: string }[], run: string) => {
          const lines: string[] = []
          let last = ""
          for (const { type, text } of list.filter((one) => one.run === run)) {
            if (type === last && (type === "chunk" || type === "thinking")) lines[lines.length - 1] += text
            else lines.push(`${type} ${text}`)
            last = type
          }
          return lines
        }
        const came = drained(backlog).map(({ payload }) => ({ type: payload.type, run: payload.runId, text: payload.payload?.content ?? "" }))
        for (const run of ["a", "b", "c"]) deepEqual(inOrder(came, run), inOrder(steps, run))
      }),
    )
  })
})
