import { deepEqual, equal, notEqual, ok } from "node:assert/strict"
import type { RouteDecl } from "@plugboard/sdk"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import fc from "fast-check"
import { identifiersOf } from "../access/belongings.ts"
import { type Fill, paramsOf, requestTo } from "../access/sample.ts"
import { Described, type OpenApi } from "./described.ts"
import { hostileText, spoilt } from "./spoilt.ts"

/** Requests to each route and each method. */
const numRuns = 40

const pages = ["", "0", "-1", "1e99", "-1e99", "9007199254740993", "99999999999999999999", "1.5", "NaN", "Infinity", "null", "\0", "1,2", "x".repeat(3_000)]
/** What must be said to be understood, where no schema tells. */
const understood: Record<string, unknown> = {
  scopes: ["operator.read"],
  provider_type: "loopback",
  api_base: "http://127.0.0.1:9/",
  workspace: "workspace/fuzz",
  agent_key: "fuzz",
  messages: [{ role: "user", content: "hello" }],
}

// Whoever contributes a route or a method: whatever it is sent is served, or the sender's mistake. It is never ours.
describe("what no client should send", function fuzz() {
  this.timeout(300_000)
  let gateway: TestGateway
  let owner: TestClient
  /** Of rows that are there, so that requests come past the look-up. */
  let ids: readonly string[]
  let described: Described
  before(async () => {
    gateway = await testGateway()
    // With the gateway's token, which no call can end.
    owner = await gateway.as("owner", "fuzz")
    // Right after its start a gateway may shed load.
    while ((await owner.get("/v1/agents")).status === 503) await new Promise((resolve) => setTimeout(resolve, 250))
    described = new Described((await owner.get("/v1/openapi.json")).body as OpenApi)
  })
  after(() => gateway.close())
  beforeEach(async () => {
    await owner.post("/v1/agents", { name: "default" })
    await owner.post("/v1/providers", { name: "loopback", provider_type: "loopback" })
    await owner.post("/v1/chat/completions", { messages: [{ role: "user", content: "hello" }] })
    ids = ["default", "loopback", ...(await identifiersOf(gateway, owner.tenantId, null))]
  })
  afterEach(() => deepEqual(unexpected(), []))

  const known: Fill = (path) => (/(^|_)(id|key)$|(Id|Key)$/.test(path) ? "default" : undefined)
  const sensible = <T>(sample: T): T => Object.assign({}, sample, ...Object.entries(understood).map(([name, value]) => name in (sample as object) && { [name]: value }))
  const unexpected = () => gateway.logs.filter((line) => line.includes("unexpected failure"))
  const brief = (value: unknown) => JSON.stringify(value)?.slice(0, 500)

  async function send(decl: RouteDecl, path: string, body: unknown): Promise<void> {
    const content: RequestInit = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }
    const response = await owner.fetch(path, { method: decl.method, ...content, signal: AbortSignal.timeout(20_000) })
    const text = await response.text()
    notEqual(response.status, 500, `${decl.method} ${path} ${brief(body)}: ${text}`)
    // As JSON has it, in which numbers without a value are null.
    const sent = body === undefined ? undefined : JSON.parse(content.body as string)
    const misfit = described.misfit(decl, { body: sent, status: response.status, contentType: response.headers.get("content-type") ?? "", text })
    equal(misfit, undefined, `${decl.method} ${path} ${brief(body)} ${response.status} ${text.slice(0, 500)}: ${misfit}`)
  }

  /** Ids in the path that are there, or are none; pages of every size; a body of which something is wrong. */
  function requestsTo(decl: RouteDecl) {
    const text = fc
      .oneof({ weight: 4, arbitrary: fc.constantFrom(...ids) }, hostileText(2_000))
      // They make another path.
      .filter((id) => !/^\.{0,2}$/.test(id))
      .map((id) => encodeURIComponent(id.toWellFormed()))
    const part = fc.oneof({ weight: 9, arbitrary: text }, fc.constantFrom("%", "%zz", "%FF", "%C0%80", "%ED%A0%80"))
    const segments = ([decl.path].flat()[0] as string).split("/").map((segment) => (/^[:*]/.test(segment) ? part : fc.constant(segment)))
    const names = ["limit", "offset", ...Object.keys((decl.query as { properties?: object } | undefined)?.properties ?? {})]
    const query = fc.dictionary(fc.constantFrom(...names), fc.constantFrom(...pages), { maxKeys: 3 })
    const body = requestTo(decl, known).body
    return fc.record({
      path: fc.tuple(fc.tuple(...segments), query).map(([parts, asked]) => `${parts.join("/")}?${new URLSearchParams(Object.entries(asked))}`),
      body: body === undefined ? fc.constant(undefined) : spoilt(sensible(body), sensible(requestTo(decl, known, true).body)),
    })
  }

  it("is told which methods an address takes, as the document has it", async () => {
    for (const [path, operations] of described.paths) {
      const response = await owner.fetch(path.replace(/\{\w+\}/g, "x"), { method: "OPTIONS" })
      const allowed = (response.headers.get("allow") ?? "").split(", ").filter((verb) => verb !== "HEAD")
      deepEqual([path, response.status, allowed], [path, 405, [...operations.keys()].sort()])
    }
  })

  it("is asked for credentials where the document says so, and nowhere else", async () => {
    for (const [path, operations] of described.paths)
      for (const [method, { security }] of operations) {
        const { status } = await fetch(gateway.url + path.replace(/\{\w+\}/g, "x"), { method, headers: { authorization: "Bearer nobody" } })
        equal(status === 401, security === undefined || security.length > 0, `${method} ${path}: ${status}`)
      }
  })

  it("ends no route in 500, and each in an answer that the document has", async () => {
    const routes = gateway.registry.current.routes.filter(({ decl }) => decl.body === undefined || !("bodyKind" in decl.body))
    ok(routes.length > 10)
    // What removes comes last: the others shall find something.
    for (const { decl } of routes.toSorted((a, b) => Number(a.decl.method === "DELETE") - Number(b.decl.method === "DELETE")))
      await fc.assert(
        fc.asyncProperty(requestsTo(decl), ({ path, body }) => send(decl, path, body)),
        { numRuns },
      )
  })

  it("ends no method in a failure of ours, and no socket", async () => {
    const { methods } = gateway.registry.current
    ok(methods.size > 10)
    const socket = await owner.rpc()
    const removes = (method: string) => Number(/\.(delete|reset|revoke)$/.test(method))
    for (const [method, { decl }] of [...methods].toSorted(([a], [b]) => removes(a) - removes(b)))
      await fc.assert(
        fc.asyncProperty(spoilt(sensible(paramsOf(decl, known)), sensible(paramsOf(decl, known, true))), async (params) => {
          const answer = socket.request(method, params as Record<string, unknown>)
          const late = new Promise<never>((_, reject) => setTimeout(reject, 20_000, new Error(`${method} ${brief(params)} did not answer`)).unref())
          const { error, payload } = await Promise.race([answer, late])
          notEqual(error?.code, "CLOSED", `${method} ${brief(params)}: ${error?.message}`)
          equal(described.misfitOf(decl, { error, payload }), undefined, `${method} ${brief(params)}: ${brief(payload ?? error)}`)
          // A run that failed is INTERNAL on the socket; a failure that nobody declared stands in the log.
          deepEqual(unexpected(), [], `${method} ${brief(params)}`)
        }),
        { numRuns },
      )
  })
})
