import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { PassThrough } from "node:stream"
import { setTimeout as sleep } from "node:timers/promises"
import { Failure, isError } from "@plugboard/sdk"
import { longestFrame } from "./frames.ts"
import { Peer, type Serve } from "./peer.ts"
import type { IncomingStream } from "./streams.ts"

interface Pair {
  here: Peer
  there: Peer
  /** Bytes from there to here, for what no peer would send. */
  raw: PassThrough
  broken: string[]
}

function pair(serve: Serve, mostCalls = 100): Pair {
  const [toThere, raw] = [new PassThrough(), new PassThrough()]
  const broken: string[] = []
  const shared = {
    mostCalls,
    mostBytes: 1 << 20,
    mostOwnCalls: 1_000,
    paced: false,
    sendStacks: false,
    told: () => undefined,
    broken: (reason: string) => void broken.push(reason),
  }
  return {
    here: new Peer({ ...shared, input: raw, output: toThere, serve: async () => undefined }),
    there: new Peer({ ...shared, input: toThere, output: raw, serve }),
    raw,
    broken,
  }
}

function frame(json: string, rest = 4 + Buffer.byteLength(json)): Buffer {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(json))
  bytes.writeUInt32LE(rest, 0)
  bytes.writeUInt32LE(Buffer.byteLength(json), 4)
  bytes.write(json, 8)
  return bytes
}

const echo: Serve = async (_, [value]) => value

describe("calls between processes", () => {
  it("bring values over as they are: data, bytes, dates, and members that look like marks", async () => {
    const { here } = pair(echo)
    const value = {
      text: 'a "quoted" { [ text',
      list: [1, null, true],
      at: new Date(5),
      bytes: Buffer.from("abc"),
      floats: Float32Array.of(1.5, -2),
      odd: { $b: 1, $o: { $s: 3 }, $u: 1 },
      holes: [undefined, null, 1],
      none: null,
    }
    deepEqual(await here.call("x", [value]), { ...value, bytes: new Uint8Array(Buffer.from("abc")) })
  })

  it("refuse what cannot cross, and say where it stands", async () => {
    const { here } = pair(echo)
    for (const [value, message] of [
      [{ a: [{ f: () => 1 }] }, /\[3\]\[0\]\.a\[0\]\.f is a function/],
      [new Map(), /is a Map/],
      [1n, /bigint/],
    ] as const)
      await rejects(here.call("x", [value]), message)
  })

  it("bring failures over with their name and facts, and other errors with their text", async () => {
    const { here } = pair(async (method) => {
      throw method === "failure" ? new Failure({ name: "a.b", kind: "NOT_FOUND", params: { id: "7" } }) : new TypeError("broken")
    })
    await rejects(here.call("failure", []), (error) => isError(error, "a.b") && error.failure.params.id === "7")
    await rejects(here.call("other", []), /broken/)
  })

  it("end when their signal does, on the other side too", async () => {
    let aborted = false
    const { here } = pair(async (_, __, signal) => {
      await sleep(10_000, undefined, { signal }).catch(() => {
        aborted = true
      })
    })
    await rejects(here.call("x", [], AbortSignal.timeout(20)), { name: "TimeoutError" })
    await sleep(20)
    equal(aborted, true)
  })

  it("end with the reason that the connection was closed with", async () => {
    const { here } = pair(() => new Promise(() => undefined))
    const waiting = rejects(here.call("x", []), /gone/)
    here.close(new Error("gone"))
    await waiting
    await rejects(here.call("x", []), /gone/)
  })

  it("keep members called __proto__ out, also behind an escape", async () => {
    const { here, raw } = pair(() => new Promise(() => undefined))
    for (const name of ["__proto__", "\\u005f_proto__"]) {
      const answer = here.call("x", []) as Promise<Record<string, unknown>>
      await sleep(5)
      raw.write(frame(`[1,${name === "__proto__" ? 1 : 2},{"${name}":{"admin":true},"a":1}]`))
      const value = await answer
      deepEqual(Object.getOwnPropertyNames(value), ["a"])
      equal(Object.assign({} as Record<string, unknown>, value).admin, undefined)
    }
  })
})

describe("streams between processes", () => {
  it("are pulled no faster than they are read, and end their source when they are left", async () => {
    let made = 0
    let ended = false
    async function* source() {
      try {
        for (;;) yield ++made
      } finally {
        ended = true
      }
    }
    const { here } = pair(async () => source())
    for await (const item of (await here.call("x", [])) as AsyncIterable<number>) {
      if (item < 3) continue
      await sleep(20)
      break
    }
    await sleep(20)
    ok(made <= 64, `${made} made for 3 read`)
    equal(ended, true)
  })

  it("cross as arguments, as results and within both, and fail where their source fails", async () => {
    async function* source() {
      yield "a"
      throw new Failure({ name: "a.cut", kind: "UPSTREAM_FAILED", params: {} })
    }
    const { here } = pair(async (_, [given]) => {
      const { stream } = given as { stream: AsyncIterable<string> }
      return {
        upper: (async function* () {
          for await (const text of stream) yield text.toUpperCase()
        })(),
      }
    })
    const { upper } = (await here.call("x", [{ stream: source() }])) as { upper: AsyncIterable<string> }
    const seen: string[] = []
    await rejects(
      (async () => {
        for await (const text of upper) seen.push(text)
      })(),
      (error) => isError(error, "a.cut"),
    )
    deepEqual(seen, ["A"])
  })

  it("tell a source that waits when they are left, and their reader when they are abandoned", async () => {
    let heard = 0
    const { here } = pair(async (_, __, signal) =>
      (async function* () {
        yield "a"
        await sleep(10_000, undefined, { signal }).catch(() => {
          heard += 1
        })
      })(),
    )
    for await (const _ of (await here.call("x", [])) as AsyncIterable<string>) break
    const abandoned = (await here.call("x", [])) as IncomingStream
    const reader = abandoned[Symbol.asyncIterator]()
    equal((await reader.next()).value, "a")
    const next = rejects(reader.next(), /enough/)
    abandoned.abandon(new Error("enough"))
    await next
    await sleep(20)
    equal(heard, 2)
  })

  it("that nobody waits for any more are not made", async () => {
    let ended = false
    async function* source() {
      try {
        yield 1
      } finally {
        ended = true
      }
    }
    const { here, there } = pair(async () => {
      await sleep(30)
      const stream = source()
      await stream.next()
      return stream
    })
    await rejects(here.call("x", [], AbortSignal.timeout(5)))
    await sleep(60)
    equal(ended, true)
    equal(there.busy, 0)
  })
})

describe("a process that does not keep to the protocol", () => {
  for (const [what, bytes] of [
    ["a giant frame", frame("[]", longestFrame + 1)],
    ["bytes that are no frame", Buffer.alloc(64, 1)],
    ["text that is no JSON", frame("{oops")],
    ["a value of 10,000 levels", frame(`[1,1,${"[".repeat(10_000)}${"]".repeat(10_000)}]`)],
    ["bytes that are not there", frame('[8,0,"x",[{"$b":[0,9,"Uint8Array"]}]]')],
    ["a kind that is none", frame("[77,0]")],
    ["a frame that is no list", frame("7")],
  ] as const) {
    it(`is broken off: ${what}`, async () => {
      const { raw, broken } = pair(echo)
      raw.write(bytes)
      await sleep(10)
      equal(broken.length, 1)
    })
  }

  it("is broken off when it makes more calls at once than it may", async () => {
    const { here, broken } = pair(() => new Promise(() => undefined), 10)
    for (let call = 0; call < 11; call++) here.call("x", []).catch(() => undefined)
    await sleep(10)
    equal(broken.length, 1)
  })
})
