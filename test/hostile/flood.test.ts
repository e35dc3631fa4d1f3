import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Chats, keepChatting } from "./chats.ts"
import { PluginFolders } from "./write-plugin.ts"

// What harms by its amount, by its form, or by never ending. The process may come to its end; the gateway and its chats go on.
const folders = new PluginFolders()

/** Frames past the runtime, straight into the pipe. */
const raw = `
import { writeSync } from "node:fs"
function frame(json, rest) {
  const text = Buffer.from(json)
  const head = Buffer.alloc(8)
  head.writeUInt32LE(rest ?? 4 + text.length, 0)
  head.writeUInt32LE(text.length, 4)
  return Buffer.concat([head, text])
}
function send(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try { at += writeSync(1, bytes, at) } catch (error) { if (error.code !== "EAGAIN") throw error }
  }
}
const forever = new Promise(() => undefined)
`

/** What its handler does, and how its caller hears of it. */
const fatal: [id: string, what: string, handler: string, reason: RegExp][] = [
  ["nameless-call", "a call that names no method", "() => { send(frame('[0,1,5,null]')); return forever }", /names no method/],
  ["giant-frame", "a giant frame", "() => { send(frame('[]', 1 << 30)); return forever }", /sent a frame of 1073741824 bytes/],
  ["noise", "bytes that are no frames", "() => { send(Buffer.alloc(100000, 1)); return forever }", /frame/],
  ["deep", "a value of 100,000 levels", "() => { send(frame('[8,0,\"log\",' + '['.repeat(100000) + ']'.repeat(100000) + ']')); return forever }", /deeper than/],
  ["crowd", "a value of ten million parts", "() => { send(frame('[8,0,\"log\",[' + '0,'.repeat(5000000) + '0]]')); return forever }", /more than \d+ parts/],
  ["same-call", "two calls of one number", "() => { const call = frame('[0,7,\"tenants\",[]]'); send(Buffer.concat([call, call])); return forever }", /number/],
  [
    "unasked",
    "a stream that nobody has granted anything",
    "() => { send(frame('[0,1,\"db.query\",[{\"$s\":1}]]')); for (let n = 0; n < 3; n++) send(frame('[4,1,0]')); return forever }",
    /more than it was granted/,
  ],
  ["exit", "its end", "() => process.exit(3)", /exited with code 3/],
  ["late-throw", "an error that nobody catches", "() => { setTimeout(() => { throw new Error('late') }); return forever }", /exited with code 1/],
  ["rejection", "a rejection that nobody handles", "() => { void Promise.reject(new Error('unhandled')); return forever }", /exited with code 1/],
  ["heap", "a heap without end", "() => { const all = []; for (;;) all.push({ all: [...all.slice(-1000)] }) }", /ended by SIG|exited with code|held \d+ MiB/],
  [
    "buffers",
    "4 GB of buffers",
    "async () => { const all = []; for (let n = 0; n < 256; n++) { all.push(Buffer.alloc(16 << 20, 1)); await new Promise(setImmediate) } return all.length }",
    /ended by SIG|exited with code|held \d+ MiB|allocation failed|INTERNAL/,
  ],
]

const bearable: [id: string, what: string, handler: string, status: number][] = [
  [
    "odd-failure",
    "a failure of a wrong shape",
    "() => { for (let id = 1; id < 9; id++) send(frame(JSON.stringify([2, id, { failure: { name: 7, kind: '__proto__', params: null, text: {} }, message: {} }]))); return forever }",
    500,
  ],
  ["answers-for-nobody", "answers that nobody asked for", "() => { for (let id = 5000; id < 15000; id++) send(frame('[1,' + id + ',{}]')); return {} }", 200],
  ["logs", "100,000 log lines", "() => { for (let n = 0; n < 100000; n++) host.log.info({ plugin: 'chat', level: 60, filler: 'x'.repeat(100) }, 'noise'); return {} }", 200],
  [
    "long-line",
    "a line of 4 MB without an end",
    "() => { for (let n = 0; n < 4; n++) { let left = 1 << 20; const text = Buffer.alloc(left, 'x'); while (left > 0) { try { left -= writeSync(2, text, 0, left) } catch (error) { if (error.code !== 'EAGAIN') throw error } } } return {} }",
    200,
  ],
  // They are worked off at the pace that one plugin has; more than a thousand that wait at once end it, as the tests of the connection show.
  [
    "many-calls",
    "10,000 calls",
    "() => { send(Buffer.concat(Array.from({ length: 10000 }, (_, id) => frame(JSON.stringify([0, id, 'http.check', ['http://x.example']]))))); return {} }",
    200,
  ],
  ["events", "30,000 events", "({ caller }) => { for (let n = 0; n < 30000; n++) host.events.publish(caller, 'events.noise', {}); return {} }", 200],
]

describe("a hostile plugin, by its amount", () => {
  let gateway: TestGateway
  let client: TestClient
  let chats: Chats

  before(async () => {
    const events = { "events.noise": { payload: {}, to: "user" } }
    gateway = await testGateway({
      sandboxed: [
        ...fatal.map(([id, , handler]) => folders.withRoute(id, handler, { limits: { timeoutMs: 25_000 } }, raw)),
        ...bearable.filter(([id]) => id !== "events").map(([id, , handler]) => folders.withRoute(id, handler, {}, raw)),
        folders.write(
          "events",
          { events, routes: { go: { method: "POST", path: "/v1/x/events/go", role: "viewer", summary: "Go", reply: {} } } },
          `(host) => ({ routes: { go: ${bearable.find(([id]) => id === "events")?.[2]} } })`,
        ),
        folders.withRoute("blocks", "() => { for (;;); }", { limits: { timeoutMs: 1_000 } }),
        folders.withRoute(
          "threads",
          "async () => { await Promise.all(Array.from({ length: 64 }, () => new Promise((resolve) => pbkdf2('a', 'b', 5e7, 64, 'sha512', resolve)))) }",
          { limits: { timeoutMs: 3_000 } },
          'import { pbkdf2 } from "node:crypto"',
        ),
        folders.withRoute("hangs", "() => new Promise(() => undefined)", { limits: { timeoutMs: 500 } }),
        folders.withRoute("pattern", "() => ({})", {
          body: { type: "object", properties: { text: { type: "string", pattern: "^(([a-z])+.)+[A-Z]([a-z])+$" } } },
          limits: { timeoutMs: 1_500 },
        }),
      ],
    })
    client = await gateway.as("viewer")
    chats = keepChatting(gateway)
  })
  after(async () => {
    await chats.end().finally(() => gateway.close())
    folders.remove()
  })

  for (const [id, what, , reason] of fatal) {
    it(`ends itself with ${what}, and its caller hears whose fault that is`, async () => {
      const { status, body } = await client.post(`/v1/x/${id}/go`)
      equal(status, body.code === "INTERNAL" && /buffers|large/.test(id) ? 500 : 503, JSON.stringify(body))
      match(`${body.error} ${body.code}`, reason)
      if (status === 503) match(body.error, new RegExp(id))
    })
  }

  for (const [id, what, , expected] of bearable) {
    it(`gets nowhere with ${what}`, async () => {
      const { status, body } = await client.post(`/v1/x/${id}/go`)
      equal(status, expected, JSON.stringify(body))
    })
  }

  it("says so much in the log and no more, under no name but its own", () => {
    const lines = gateway.logs.map((line) => JSON.parse(line) as { msg: string; plugin?: string; level: number; filler?: string })
    const noise = lines.filter(({ filler }) => filler !== undefined)
    ok(noise.length > 0 && noise.length < 2_000, `${noise.length} lines`)
    ok(noise.every(({ plugin, level }) => plugin === "logs" && level === 30))
    ok(gateway.logs.every((line) => line.length < 20_000))
  })

  it("keeps nobody waiting who calls it while it does not answer", async () => {
    const [hangs, blocks, threads, pattern] = await Promise.all([
      client.post("/v1/x/hangs/go"),
      client.post("/v1/x/blocks/go"),
      client.post("/v1/x/threads/go"),
      client.post("/v1/x/pattern/go", { text: "a".repeat(60) }),
    ])
    for (const { status, body } of [hangs, blocks, threads, pattern]) equal(status, 504, JSON.stringify(body))
  })

  it("answers fitting input as ever, and refuses other input in the words of the kernel", async () => {
    // Its event loop stands still until the gateway has ended it.
    for (let tries = 0; ; tries++) {
      const { status } = await client.post("/v1/x/pattern/go", { text: "abc.Def" })
      if (status === 200) break
      ok(tries < 200)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    const { status, body } = await client.post("/v1/x/pattern/go", { text: 7 })
    equal(status, 400)
    equal(body.code, "INVALID_REQUEST")
    deepEqual(body.details, [{ path: "/text", rule: "type", message: "must be string, not number" }])
  })
})
