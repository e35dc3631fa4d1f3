import { deepEqual, equal, match, ok } from "node:assert/strict"
import { Type } from "typebox"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"

describe("what is no request", () => {
  let room: ScratchHttp
  before(async () => {
    room = await scratchHttp({
      one: { decl: { method: "POST", path: "/one", role: "viewer", summary: "A route", body: Type.Object({}), reply: Type.Object({}) }, handle: () => ({}) },
    })
  })
  after(() => room.close())

  for (const [what, bytes, status] of [
    ["nonsense", "hello\r\n\r\n", 400],
    ["a TLS greeting", Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 3]), 400],
    ["two lengths", "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400],
    ["a length and chunks", "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["a header line that is folded", "GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400],
    ["large headers", `GET / HTTP/1.1\r\nHost: x\r\nx-large: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a chunk without a size", "POST /one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
  ] as const) {
    it(`gets a JSON answer and the end: ${what}`, async () => {
      const answer = await room.send(bytes, 1_000)
      const [, code, rest] = /^HTTP\/1\.1 (\d+) [\s\S]*?\r\n\r\n([\s\S]*)$/.exec(answer) ?? []
      equal(Number(code), status, answer)
      if (rest) deepEqual(Object.keys(JSON.parse(rest) as object), ["error", "code"])
    })
  }

  it("harms nobody else", async () => {
    ok((await fetch(`${room.url}/one`, { method: "POST", headers: { authorization: "Bearer viewer" } })).ok)
    ok(!room.logs.some((line) => line.includes('"level":50')))
  })

  it("takes no second request's answer for the first's", async () => {
    match(await room.send("GET /none HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n", 500), /^HTTP\/1\.1 (404|400) /)
  })
})
