import { deepEqual, equal, match, ok } from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bytes, type RouteDecl, type RouteRequest, reply } from "@plugboard/sdk"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"

describe("bytes", () => {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-bytes-"))
  const path = join(folder, "letters.txt")
  let room: ScratchHttp
  before(async () => {
    writeFileSync(path, "abcdefghij")
    writeFileSync(join(folder, "big"), Buffer.alloc(20_000_000, 1))
    const answers: Record<string, () => unknown> = {
      "in-memory": () => reply.bytes(Buffer.from("abcdefghij"), { contentType: "text/plain" }),
      "on-disk": () => reply.bytes({ path }, { contentType: "text/plain", filename: 'Tệp "1".txt', headers: { "x-own": "1" } }),
      page: () => reply.bytes(Buffer.from("<script>"), { contentType: "text/html", etag: "own", headers: { "content-security-policy": "sandbox" } }),
      weak: () => reply.bytes(Buffer.from("abc"), { contentType: "text/plain", etag: 'W/"w"' }),
      empty: () => reply.bytes(Buffer.alloc(0), { contentType: "text/plain" }),
      gone: () => reply.bytes({ path: join(folder, "gone") }, { contentType: "text/plain" }),
      folder: () => reply.bytes({ path: folder }, { contentType: "text/plain" }),
      odd: () => reply.bytes(Buffer.from("x"), { contentType: "text/plain", filename: "\ud800\r\nx: y" }),
      big: () => reply.bytes({ path: join(folder, "big") }, { contentType: "video/mp4" }),
    }
    room = await scratchHttp({
      file: {
        decl: { method: "GET", path: "/:name", auth: "public", summary: "A file", reply: bytes() },
        handle: ({ params }: RouteRequest<RouteDecl>) => answers[(params as { name: string }).name]?.(),
      },
    })
  })
  after(async () => {
    await room.close()
    rmSync(folder, { recursive: true })
  })
  const get = async (name: string, headers: Record<string, string> = {}, method = "GET") => {
    const response = await fetch(`${room.url}/${name}`, { headers, method })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  it("come whole, with their type, an ETag and no guessing", async () => {
    for (const name of ["in-memory", "on-disk"]) {
      const { status, headers, text } = await get(name)
      deepEqual(
        [status, text, headers.get("content-type"), headers.get("content-length"), headers.get("accept-ranges"), headers.get("x-content-type-options")],
        [200, "abcdefghij", "text/plain", "10", "bytes", "nosniff"],
      )
      match(headers.get("etag") ?? "", /^"[^"]+"$/)
      match(headers.get("content-security-policy") ?? "", /default-src 'none'/)
    }
  })

  it("have a name that every browser can read, and headers of their own", async () => {
    const { headers } = await get("on-disk")
    deepEqual([headers.get("content-disposition"), headers.get("x-own")], ["inline; filename=\"T_p _1_.txt\"; filename*=UTF-8''T%E1%BB%87p%20%221%22.txt", "1"])
    equal((await get("page")).headers.get("content-security-policy"), "sandbox")
    equal((await get("odd")).headers.get("x"), null)
  })

  for (const [range, status, text, contentRange] of [
    ["bytes=0-0", 206, "a", "bytes 0-0/10"],
    ["bytes=2-4", 206, "cde", "bytes 2-4/10"],
    ["bytes=5-", 206, "fghij", "bytes 5-9/10"],
    ["bytes=-3", 206, "hij", "bytes 7-9/10"],
    ["bytes=-99", 206, "abcdefghij", "bytes 0-9/10"],
    ["bytes=0-99999999999999999999", 206, "abcdefghij", "bytes 0-9/10"],
    ["bytes=0-1,3-4", 200, "abcdefghij", null],
    ["bytes=4-2", 200, "abcdefghij", null],
    ["bytes=-", 200, "abcdefghij", null],
    ["lines=1-2", 200, "abcdefghij", null],
    ["bytes=a-b", 200, "abcdefghij", null],
  ] as const) {
    it(`answer Range ${range} with ${status}`, async () => {
      for (const name of ["in-memory", "on-disk"]) {
        const answer = await get(name, { range })
        deepEqual([answer.status, answer.text, answer.headers.get("content-range")], [status, text, contentRange])
      }
    })
  }

  it("answer 416 for a range outside, with the size, in the common form", async () => {
    for (const range of ["bytes=10-", "bytes=99-100", "bytes=-0"]) {
      const { status, headers, text } = await get("on-disk", { range })
      deepEqual([range, status, headers.get("content-range"), (JSON.parse(text) as { code: string }).code], [range, 416, "bytes */10", "INVALID_REQUEST"])
    }
    equal((await get("empty", { range: "bytes=0-" })).status, 416)
  })

  it("are not sent again to who has them", async () => {
    const etag = (await get("on-disk")).headers.get("etag") as string
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const { status, text } = await get("on-disk", { "if-none-match": header })
      deepEqual([status, text], [304, ""])
    }
    equal((await get("on-disk", { "if-none-match": '"other"' })).status, 200)
    equal((await get("page", { "if-none-match": '"own"' })).status, 304)
    equal((await get("weak", { "if-none-match": '"w"' })).status, 304)
  })

  it("go on where they were only while they are the same", async () => {
    const etag = (await get("in-memory")).headers.get("etag") as string
    equal((await get("in-memory", { range: "bytes=1-2", "if-range": etag })).text, "bc")
    equal((await get("in-memory", { range: "bytes=1-2", "if-range": '"old"' })).status, 200)
    equal((await get("weak", { range: "bytes=1-2", "if-range": 'W/"w"' })).status, 200)
  })

  it("answer HEAD with the headers alone", async () => {
    const { status, headers, text } = await get("on-disk", {}, "HEAD")
    deepEqual([status, headers.get("content-length"), text], [200, "10", ""])
    equal((await get("on-disk", { range: "bytes=0-1" }, "HEAD")).headers.get("content-length"), "2")
  })

  it("may be none", async () => deepEqual([(await get("empty")).status, (await get("empty")).headers.get("content-length")], [200, "0"]))

  it("that are not there are 404", async () => deepEqual([(await get("gone")).status, (await get("folder")).status], [404, 404]))

  it("stop being read when the client leaves, and that is no failure", async () => {
    for (let round = 0; round < 5; round += 1) {
      const socket = await room.open()
      socket.write("GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
      await new Promise((resolve) => socket.once("data", resolve))
      socket.destroy()
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    ok(!room.logs.some((line) => /"level":(40|50)/.test(line)), room.logs.join("\n"))
    equal((await get("big")).text.length, 20_000_000)
  })
})
