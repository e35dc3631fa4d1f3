import { deepEqual, equal, match, ok } from "node:assert/strict"
import { gzipSync } from "node:zlib"
import { raw } from "@plugboard/sdk"
import { Type } from "typebox"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"

const Text = Type.Object({ text: Type.Optional(Type.String()), count: Type.Optional(Type.Integer({ default: 3 })), any: Type.Optional(Type.Unknown()) })
const reply = Type.Object({})
const operator = { authorization: "Bearer operator" }
const json = { ...operator, "content-type": "application/json" }

describe("JSON bodies", () => {
  let room: ScratchHttp
  let handled: number
  before(async () => {
    const post = { method: "POST", role: "operator", summary: "A route", reply } as const
    const echo = ({ body }: { body: unknown }) => {
      handled += 1
      return { body }
    }
    room = await scratchHttp({
      echo: { decl: { ...post, path: "/echo", body: Text }, handle: echo },
      small: { decl: { ...post, path: "/small", body: Text, limits: { bodyBytes: 64 } }, handle: echo },
      strict: { decl: { ...post, path: "/strict", body: Type.Object({ text: Type.String() }) }, handle: echo },
      list: { decl: { ...post, path: "/list", body: Type.Array(Type.String()) }, handle: echo },
      openai: { decl: { ...post, path: "/openai", body: Text, errors: "openai" }, handle: echo },
      none: { decl: { ...post, path: "/none" }, handle: echo },
      remove: { decl: { ...post, method: "DELETE", path: "/echo", body: Text }, handle: echo },
    })
  })
  beforeEach(() => {
    handled = 0
  })
  after(() => room.close())
  const post = async (path: string, body: string | Uint8Array | undefined, headers: Record<string, string> = json, method = "POST") => {
    const response = await fetch(room.url + path, { method, body: body as never, headers })
    return { status: response.status, body: (await response.json()) as { body?: unknown; error?: unknown; code?: string; details?: unknown } }
  }

  it("get their defaults, keep unknown members, and take null for absent", async () => {
    deepEqual((await post("/echo", '{"text":null,"more":{"a":[1]}}')).body.body, { more: { a: [1] }, count: 3 })
  })

  it("count as {} when there are no bytes, with or without a content type", async () => {
    for (const headers of [operator, json]) deepEqual((await post("/echo", undefined, headers)).body.body, { count: 3 })
    deepEqual((await post("/echo", "", json)).body.body, { count: 3 })
    match(
      await room.send("POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer operator\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"),
      /200 OK[\s\S]*\{"count":3\}/,
    )
    equal((await post("/strict", "")).status, 400)
  })

  it("need no content type", async () => deepEqual((await post("/echo", new TextEncoder().encode('{"text":"a"}'), operator)).body.body, { text: "a", count: 3 }))

  it("may have any JSON type with parameters", async () => {
    for (const type of ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"])
      equal((await post("/echo", "{}", { ...operator, "content-type": type })).status, 200)
  })

  it("of any other declared type are 415 and reach no parser", async () => {
    const types = [
      "text/plain",
      "text/html",
      "application/xml",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "multipart/form-data",
      "application/octet-stream",
      "application/javascript",
      "application/jsonp",
      "image/png",
      "nonsense",
      "../../etc/passwd",
    ]
    for (const type of types) {
      const { status, body } = await post("/echo", '--x\r\nContent-Disposition: form-data; name="a"; filename="/etc/passwd"\r\n\r\nx\r\n--x--', {
        ...operator,
        "content-type": type,
      })
      deepEqual([type, status, body.code], [type, 415, "INVALID_REQUEST"])
    }
    equal(handled, 0)
  })

  it("that are no JSON are 400", async () => {
    for (const text of ["{", "not json", '{"a":}', "{}{}", " ", "{'a':1}", '"', "\0", "NaN"]) deepEqual([text, (await post("/echo", text)).status], [text, 400])
    equal(handled, 0)
  })

  it("that are JSON, but not what the route takes, are 400 and say where and why", async () => {
    for (const text of ["[]", '"a"', "5", "true", "false"]) equal((await post("/echo", text)).status, 400)
    deepEqual((await post("/list", '["a"]')).body.body, ["a"])
    const { body } = await post("/strict", '{"text":5}')
    deepEqual(body.details, [{ path: "/text", rule: "type", message: "must be string, not number" }])
  })

  it("too large are 413 by their length, unread", async () => {
    const answer = await room.send("POST /small HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer operator\r\nContent-Length: 65\r\n\r\n", 300)
    match(answer, /^HTTP\/1.1 413 /)
    equal((await post("/small", JSON.stringify({ text: "a".repeat(100) }))).status, 413)
  })

  it("too large and without a length are 413 at the limit, and the connection ends", async () => {
    const chunk = `400\r\n${" ".repeat(1024)}\r\n`
    const answer = await room.send(`POST /small HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer operator\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(50)}0\r\n\r\n`)
    match(answer, /^HTTP\/1.1 413 [\s\S]*connection: close/i)
  })

  it("of 10 MB in one field are 413, seen by a client that writes all of it first", async () => {
    const body = JSON.stringify({ text: "a".repeat(10_000_000) })
    for (const path of ["/echo", "/openai"]) for (let round = 0; round < 3; round += 1) equal((await post(path, body)).status, 413)
    const streamed = await fetch(`${room.url}/echo`, { method: "POST", headers: json, body: new Blob([body]).stream(), duplex: "half" } as never)
    equal(streamed.status, 413)
    for (const token of ["nobody", "viewer"]) ok([401, 403].includes((await post("/echo", body, { ...json, authorization: `Bearer ${token}` })).status))
  })

  it("fail in OpenAI's shape where the route says so", async () => {
    for (const [text, status] of [
      ["{", 400],
      ["x".repeat(1_100_000), 413],
      ["[]", 400],
    ] as const) {
      const { status: got, body } = await post("/openai", text)
      deepEqual([got, (body.error as { type: string }).type], [status, "invalid_request_error"])
    }
  })

  it("may be compressed, but not past the limit", async () => {
    const packed = { ...json, "content-encoding": "gzip" }
    deepEqual((await post("/echo", gzipSync('{"text":"a"}'), packed)).body.body, { text: "a", count: 3 })
    equal((await post("/echo", gzipSync(JSON.stringify({ text: "a".repeat(50_000_000) })), packed)).status, 413)
    equal((await post("/echo", "no gzip", packed)).status, 400)
    equal((await post("/echo", "{}", { ...json, "content-encoding": "exotic" })).status, 415)
  })

  it("nested deep are 400, and nothing falls over", async () => {
    for (const levels of [101, 5_000, 400_000]) {
      equal((await post("/echo", `{"any":${"[".repeat(levels)}${"]".repeat(levels)}}`)).status, 400)
      equal((await post("/echo", `${'{"any":'.repeat(Math.min(levels, 100_000))}1${"}".repeat(Math.min(levels, 100_000))}`)).status, 400)
    }
    equal((await post("/echo", `{"any":${"[".repeat(90)}${"]".repeat(90)}}`)).status, 200)
  })

  it("with __proto__ change nothing", async () => {
    for (const text of [
      '{"__proto__":{"admin":true}}',
      '{"any":{"__proto__":{"admin":true}}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"\\u005f_proto__":{"admin":true}}',
    ])
      await post("/echo", text)
    equal(({} as { admin?: boolean }).admin, undefined)
    equal((await post("/echo", '{"any":{"__proto__":1}}')).status, 400)
  })

  it("of invalid UTF-8 harm nothing", async () => {
    const { status, body } = await post("/echo", Buffer.from([...Buffer.from('{"text":"'), 0xff, 0xfe, 0xc3, ...Buffer.from('"}')]))
    equal(status, 200)
    ok((body.body as { text: string }).text.isWellFormed())
  })

  it("that end early are an error of the client's, and nothing is logged as ours", async () => {
    const socket = await room.open()
    socket.write("POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer operator\r\nContent-Length: 100\r\n\r\n{")
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    equal(handled, 0)
    ok(!room.logs.some((line) => line.includes('"level":50')))
  })

  it("are not looked at where none is declared", async () => {
    equal((await post("/none", "{", json)).status, 200)
    equal((await post("/none", "x".repeat(2_000_000), { ...operator, "content-type": "image/png" })).status, 200)
  })

  it("are taken with DELETE, too", async () => deepEqual((await post("/echo", '{"text":"a"}', json, "DELETE")).body.body, { text: "a", count: 3 }))

  it("leave the connection open for the next request after a refusal of a small one", async () => {
    const one = "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nContent-Length: 2\r\n\r\n{}"
    equal((await room.send(one + one, 300)).match(/HTTP\/1.1 401/g)?.length, 2)
  })
})

describe("raw bodies", () => {
  let room: ScratchHttp
  before(async () => {
    const handle = ({ body }: { body: unknown }) => ({ hex: Buffer.from(body as Uint8Array).toString("hex") })
    const post = { method: "POST", auth: "webhook", summary: "A route", reply } as const
    room = await scratchHttp({
      any: { decl: { ...post, path: "/any", body: raw({ maxBytes: 8 }) }, handle },
      typed: { decl: { ...post, path: "/typed", body: raw({ maxBytes: 8, types: ["audio/*", "application/json"] }) }, handle },
    })
  })
  after(() => room.close())

  it("are the bytes that came, whatever they are called", async () => {
    for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
      const response = await fetch(`${room.url}/any`, { method: "POST", body: Buffer.from([0, 255, 123]), headers: { "content-type": type } })
      deepEqual(await response.json(), { hex: "00ff7b" })
    }
    deepEqual(await (await fetch(`${room.url}/any`, { method: "POST" })).json(), { hex: "" })
  })

  it("have one of the types that the route names", async () => {
    const statusOf = async (type: string) => (await fetch(`${room.url}/typed`, { method: "POST", body: "x", headers: { "content-type": type } })).status
    deepEqual([await statusOf("audio/mpeg"), await statusOf("application/json"), await statusOf("text/html")], [200, 200, 415])
  })

  it("too large are 413, with a length and without", async () => {
    equal((await fetch(`${room.url}/any`, { method: "POST", body: "123456789" })).status, 413)
    equal((await fetch(`${room.url}/any`, { method: "POST", body: new Blob(["x".repeat(3_000_000)]).stream(), duplex: "half" } as never)).status, 413)
  })
})
