import { deepEqual, equal, match } from "node:assert/strict"
import type { RouteDecl } from "@plugboard/sdk"
import { route, type ScratchHttp, scratchHttp, viewer } from "./scratch.test.ts"

const named = (name: string, decl: Partial<RouteDecl> & Pick<RouteDecl, "path">) => route(decl, ({ params }) => ({ name, params }))

describe("paths and methods", () => {
  let room: ScratchHttp
  const found = async (path: string, method = "GET") => {
    const response = await fetch(room.url + path, { method, headers: viewer })
    return {
      status: response.status,
      body: (await response.json()) as { name?: string; params?: Record<string, string>; error?: string; code?: string },
      headers: response.headers,
    }
  }
  before(async () => {
    room = await scratchHttp({
      things: named("things", { path: ["/v1/things", "/v1/stuff"] }),
      thing: named("thing", { path: "/v1/things/:id" }),
      newest: named("newest", { path: "/v1/things/newest" }),
      part: named("part", { path: "/v1/things/:id/parts/:part" }),
      removed: named("removed", { path: "/v1/things/:id", method: "DELETE" }),
      files: named("files", { path: "/v1/files/*rest" }),
      list: named("list", { path: "/v1/files/list" }),
      short: named("short", { path: "/short" }),
      ofAny: named("ofAny", { path: "/v1/:kind/newest" }),
    })
  })
  after(() => room.close())

  it("takes literal segments before parameters, and parameters before a rest", async () => {
    equal((await found("/v1/things")).body.name, "things")
    equal((await found("/v1/things/newest")).body.name, "newest")
    equal((await found("/v1/others/newest")).body.name, "ofAny")
    deepEqual((await found("/v1/things/7")).body, { name: "thing", params: { id: "7" } })
    deepEqual((await found("/v1/things/7/parts/a")).body, { name: "part", params: { id: "7", part: "a" } })
    equal((await found("/v1/files/list")).body.name, "list")
    equal((await found("/v1/files/lists")).body.name, "files")
  })

  it("serves each alias", async () => equal((await found("/v1/stuff")).body.name, "things"))

  it("serves a path with a slash at its end", async () => {
    for (const [path, name] of [
      ["/short/", "short"],
      ["/v1/things/", "things"],
      ["/v1/things/7/", "thing"],
    ] as const)
      equal((await found(path)).body.name, name)
  })

  it("decodes parameters once; %2F is a slash in them", async () => {
    deepEqual((await found("/v1/things/a%2Fb%20%C3%A4%2525")).body.params, { id: "a/b ä%25" })
    deepEqual((await found("/v1/files/a/b%2Fc/%64.txt")).body.params, { rest: "a/b/c/d.txt" })
    deepEqual((await found("/v1/things/agent:a:b")).body.params, { id: "agent:a:b" })
  })

  it("takes what is no percent code as it is, and no NUL", async () => {
    deepEqual((await found("/v1/things/%zz")).body.params, { id: "%zz" })
    equal((await found("/v1/things/a%00b")).status, 404)
  })

  it("answers 404 in the common form for anything else", async () => {
    for (const path of ["/", "/v1", "/v1/thing", "/v1/THINGS", "//v1/things", "/v1/files", "/v1/things/7/parts", "/v1/../etc/passwd", "/v1/things/7/parts/a/b"]) {
      const { status, body, headers } = await found(path)
      deepEqual([path, status, body.code, typeof body.error], [path, 404, "NOT_FOUND", "string"])
      match(headers.get("content-type") ?? "", /^application\/json/)
    }
  })

  it("answers 405 with Allow for a known path and another method", async () => {
    for (const [path, allow] of [
      ["/v1/things", "GET, HEAD"],
      ["/v1/things/7", "DELETE, GET, HEAD"],
      ["/short/", "GET, HEAD"],
      // Also DELETE is served there, as of a thing; documents know one path for an address.
      ["/v1/things/newest", "GET, HEAD"],
    ]) {
      const { status, body, headers } = await found(path as string, "PUT")
      deepEqual([path, status, body.code, headers.get("allow")], [path, 405, "INVALID_REQUEST", allow])
    }
    equal((await found("/v1/things", "OPTIONS")).status, 405)
  })

  it("answers HEAD as GET without a body", async () => {
    const response = await fetch(`${room.url}/v1/things`, { method: "HEAD", headers: viewer })
    deepEqual([response.status, response.headers.get("content-length"), await response.text()], [200, String(JSON.stringify({ name: "things", params: {} }).length), ""])
    equal((await fetch(`${room.url}/v1/nothing`, { method: "HEAD" })).status, 404)
  })

  it("serves the routes of the newest registry from the next request on", async () => {
    room.serve({ other: named("other", { path: "/v1/other" }) })
    equal((await found("/v1/other")).body.name, "other")
    equal((await found("/v1/things")).status, 404)
  })
})
