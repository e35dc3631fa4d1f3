import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import type { lookup as systemLookup } from "node:dns"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createTcpServer } from "node:net"
import { failureOf, type Http } from "@plugboard/sdk"
import { createEgress, type EgressOptions } from "./egress.ts"

/** Every name of these tests is this machine. */
const lookup = ((host: string, _: object, callback: (error: Error | null, answer?: object) => void) => {
  if (host === "nowhere.test") callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }))
  else callback(null, [{ address: "127.0.0.1", family: 4 }])
}) as unknown as typeof systemLookup
const log = { warn: () => undefined } as unknown as EgressOptions["log"]

async function failureName(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return failureOf(error)?.name ?? String(error)
}

describe("egress to a host that the operator opened", () => {
  let url = ""
  let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end("hello")
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    answer(request, response)
  })
  let out: Http
  before(async () => {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as { port: number }
    url = `http://upstream.test:${port}`
    out = createEgress({ allow: ["*"], allowPrivateHosts: [`upstream.test:${port}`], connectTimeoutMs: 10_000, inTransaction: () => false, log, lookup })
  })
  after(() => server.close())
  beforeEach(() => {
    seen.length = 0
  })

  it("opens that name on that port, and no other name of the same address", async () => {
    const response = await out.request(url)
    deepEqual([response.status, await response.text()], [200, "hello"])
    equal(await failureName(out.request(url.replace("upstream.test", "other.test"))), "kernel.egress_refused")
    equal(await failureName(out.request("http://upstream.test:1/")), "kernel.egress_refused")
  })

  for (const target of [
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://other.test/",
    "http://[::ffff:127.0.0.1]/",
    "file:///etc/passwd",
    "http://u:p@upstream.test/",
  ]) {
    it(`does not follow a redirect to ${target}`, async () => {
      answer = (_, response) => response.writeHead(302, { location: target }).end()
      equal(await failureName(out.fetch(url)), "kernel.egress_refused")
      equal(seen.length, 1)
      const plain = await out.request(url)
      equal(plain.status, 302)
      await plain.text()
    })
  }

  it("follows a redirect on the same host, with the key, and turns POST into GET as browsers do", async () => {
    answer = (request, response) => (request.url === "/a" ? response.writeHead(302, { location: "/b" }).end() : response.end(`${request.method} ${request.headers.authorization}`))
    equal(await (await out.fetch(`${url}/a`, { method: "POST", body: "{}", headers: { authorization: "Bearer k" } })).text(), "GET Bearer k")
  })

  it("stops after five redirects", async () => {
    answer = (_, response) => response.writeHead(307, { location: "/again" }).end()
    equal(await failureName(out.fetch(url)), "kernel.egress_failed")
    equal(seen.length, 6)
  })

  it("sends forms as forms", async () => {
    answer = (request, response) => request.pipe(response.setHeader("x-type", request.headers["content-type"] ?? ""))
    const form = new FormData()
    form.set("file", new Blob(["bytes"]), "a.txt")
    const response = await out.fetch(url, { method: "POST", body: form })
    match(response.headers.get("x-type") ?? "", /^multipart\/form-data; boundary=/)
    match(await response.text(), /filename="a.txt"/)
  })

  it("ends the socket at once when the call is aborted, before and after the first byte", async () => {
    for (const early of [true, false]) {
      const closed = new Promise<void>((resolve) => {
        answer = (_, response) => {
          response.on("close", () => resolve())
          if (!early) response.write("first")
        }
      })
      const abort = new AbortController()
      const call = out.request(url, { signal: abort.signal }).then((response) => response.text())
      setTimeout(() => abort.abort(), 50)
      await rejects(call, { name: "AbortError" })
      await closed
    }
  })

  it("ends the socket when the reader leaves the body", async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (_, response) => {
        response.on("close", () => resolve())
        response.write("first")
      }
    })
    const { body } = await out.request(url)
    for await (const _ of body) break
    await closed
  })

  it("waits no longer than it was told for headers, and for silence in a body", async () => {
    answer = () => undefined
    const late = await out.request(url, { headersTimeoutMs: 300 }).catch(failureOf)
    ok(late && "kind" in late)
    deepEqual([late.name, late.params], ["kernel.egress_timeout", { host: "upstream.test", ms: 300 }])
    answer = (_, response) => response.write("first")
    const response = await out.request(url, { idleTimeoutMs: 300 })
    equal(await failureName(response.text()), "kernel.egress_timeout")
  })

  it("reads no more than it was told, headers or body", async () => {
    answer = (_, response) => response.end("x".repeat(100_000))
    equal(await failureName(out.request(url).then((response) => response.text(99_999))), "kernel.egress_failed")
    answer = (_, response) => response.writeHead(200, { "x-large": "x".repeat(40_000) }).end()
    equal(await failureName(out.request(url)), "kernel.egress_failed")
    answer = (_, response) => {
      const part = Buffer.alloc(1 << 20)
      const more = () => {
        while (response.writable && response.write(part));
      }
      response.on("drain", more)
      more()
    }
    const response = await out.fetch(url)
    await rejects(response.text())
  })

  it("tells what the network did, and repeats no key", async () => {
    answer = (_, response) => response.destroy()
    equal(await failureName(out.request(url)), "kernel.egress_failed")
    equal(await failureName(out.request("http://nowhere.test/")), "kernel.egress_failed")
    for (const call of [out.request(url, { headers: { authorization: "Bearer sk-canary\nx" } }), out.fetch(url, { headers: [["authorization", "Bearer sk-canary\nx"]] })]) {
      const error = await call.catch((thrown: unknown) => thrown)
      equal(failureOf(error)?.name, "kernel.egress_failed")
      equal(JSON.stringify([failureOf(error), String((error as Error).stack), String((error as Error).cause)]).includes("sk-canary"), false)
    }
  })

  it("waits for a connection no longer than the configuration says", async () => {
    // Takes the connection, and never says a word of TLS.
    const mute = createTcpServer()
    mute.listen(0, "127.0.0.1")
    await once(mute, "listening")
    const { port } = mute.address() as { port: number }
    const hasty = createEgress({ allow: ["*"], allowPrivateHosts: ["mute.test"], connectTimeoutMs: 300, inTransaction: () => false, log, lookup })
    const error = await hasty.request(`https://mute.test:${port}/`).catch((thrown: unknown) => thrown)
    deepEqual([failureOf(error)?.name, failureOf(error)?.params.ms], ["kernel.egress_timeout", 300])
    mute.close()
  })

  it("keeps connections for the next call", async () => {
    answer = (_, response) => response.end("hello")
    const ports = new Set<number | undefined>()
    for (let call = 0; call < 10; call += 1) {
      const response = await out.request(url)
      await response.text()
      ports.add(seen.at(-1)?.socket.remotePort)
    }
    // Two when a call begins in the very turn in which the one before it ended.
    ok(ports.size <= 2, `${ports.size} connections`)
  })
})
