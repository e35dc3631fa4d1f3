import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type Caller, Failure, type RouteDecl } from "@plugboard/sdk"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import { type ScratchHttp, type ScratchRoute, scratchHttp } from "./scratch.test.ts"

const anything = Type.Object({})
const route = (decl: Partial<RouteDecl> & { path: RouteDecl["path"] }, handle: ScratchRoute["handle"] = () => ({})): ScratchRoute => ({
  decl: { method: "GET", role: "viewer", summary: "A route", reply: anything, ...decl } as RouteDecl,
  handle,
})
const named = (name: string, decl: Partial<RouteDecl> & { path: RouteDecl["path"] }) => route(decl, ({ params }) => ({ name, params }))
const viewer = { authorization: "Bearer viewer" }

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
      ["/docs", "GET, HEAD"],
      ["/v1/openapi.json", "GET, HEAD"],
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

describe("who is asking", () => {
  let room: ScratchHttp
  let asked: string[]
  let bodies: number
  before(async () => {
    room = await scratchHttp(
      {
        open: route({ path: "/v1/open", auth: "public", role: undefined } as never, ({ caller }) => ({ caller })),
        hook: route({ path: "/v1/hook", auth: "webhook", role: undefined } as never, ({ caller }) => ({ caller })),
        file: route({ path: "/v1/file", auth: "signed", role: undefined } as never, ({ caller }) => ({ caller })),
        mine: route({ path: "/v1/mine" }, ({ caller, headers }) => ({ caller, headers })),
        write: route({ path: "/v1/write", method: "POST", role: "operator", body: Type.Object({ text: Type.String() }) }, () => {
          bodies += 1
          return {}
        }),
        provision: route({ path: "/v1/provision", role: "owner", orScope: "operator.provision" }),
      },
      {
        authorized: async (name) => {
          asked.push(name)
          if (name === "scratch.provision") throw fail("denied", { reason: "no more today" }, { text: "no more today" })
        },
        signed: async ({ query }) => (query.ft === "good" ? ({ tenantId: "t", userId: "linked", role: "viewer" } as Caller) : null),
      },
    )
  })
  beforeEach(() => {
    asked = []
    bodies = 0
    room.shown.length = 0
  })
  after(() => room.close())

  it("never looks at credentials on public routes", async () => {
    for (const path of ["/v1/open", "/v1/hook"]) {
      const response = await fetch(room.url + path, { headers: { authorization: "Bearer nobody", "x-goclaw-user-id": "u" } })
      const { caller } = (await response.json()) as { caller: Caller }
      deepEqual([response.status, caller.role, caller.userId, caller.via, caller.tenantSlug], [200, "viewer", "", "open", "master"])
    }
    deepEqual([room.shown, asked], [[], []])
  })

  it("takes every header of the contract, the scheme in any case, text in UTF-8", async () => {
    const name = Buffer.from("bà tư", "utf8").toString("latin1")
    await fetch(`${room.url}/v1/mine`, {
      headers: {
        authorization: "bEARER   viewer ",
        "x-goclaw-user-id": name,
        "x-goclaw-tenant-id": "acme",
        "x-goclaw-sender-id": "s",
        "accept-language": "fr, zh-Hans-CN;q=0.1, en",
        "x-forwarded-for": "9.9.9.9",
      },
    })
    deepEqual(room.shown, [{ token: "viewer", userId: "bà tư", tenantRefs: ["acme"], senderId: "s", locale: "zh", address: "127.0.0.1" }])
  })

  it("takes any other scheme for no token", async () => {
    for (const authorization of ["Basic dmlld2Vy", "Bearer", "Bearer ", "viewer", "Token viewer"])
      equal((await fetch(`${room.url}/v1/mine`, { headers: { authorization } })).status, 401)
    deepEqual(
      room.shown.map(({ token }) => token),
      [undefined, undefined, undefined, undefined, undefined],
    )
  })

  it("answers 401 in the caller's language, with WWW-Authenticate", async () => {
    const texts = new Set<string>()
    for (const language of ["en", "vi", "zh"]) {
      const response = await fetch(`${room.url}/v1/mine`, { headers: { "accept-language": language } })
      const { error, code } = (await response.json()) as { error: string; code: string }
      deepEqual([response.status, code, response.headers.get("www-authenticate")], [401, "UNAUTHORIZED", "Bearer"])
      texts.add(error)
    }
    equal(texts.size, 3)
  })

  it("keeps credentials from handlers", async () => {
    const response = await fetch(`${room.url}/v1/mine`, {
      headers: { ...viewer, cookie: "a=b", "x-goclaw-sender-id": "s", "proxy-authorization": "Basic x", "idempotency-key": "k" },
    })
    const { headers } = (await response.json()) as { headers: Record<string, string> }
    deepEqual(
      [headers.authorization, headers.cookie, headers["x-goclaw-sender-id"], headers["proxy-authorization"], headers["idempotency-key"]],
      [undefined, undefined, undefined, undefined, "k"],
    )
  })

  it("decides before the body: 401 and 403 for a body that is no JSON", async () => {
    for (const [token, status] of [
      ["nobody", 401],
      ["viewer", 403],
      ["operator", 400],
    ] as const) {
      const response = await fetch(`${room.url}/v1/write`, { method: "POST", body: "{", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } })
      equal(response.status, status)
    }
    equal(bodies, 0)
  })

  it("asks the plugins after the role and before the body", async () => {
    await fetch(`${room.url}/v1/write`, { method: "POST", body: "{", headers: { authorization: "Bearer viewer" } })
    deepEqual(asked, [])
    await fetch(`${room.url}/v1/write`, { method: "POST", body: "{", headers: { authorization: "Bearer operator" } })
    deepEqual(asked, ["scratch.write"])
    const denied = await fetch(`${room.url}/v1/provision`, { headers: { authorization: "Bearer owner" } })
    deepEqual([denied.status, await denied.json()], [403, { error: "no more today", code: "UNAUTHORIZED" }])
  })

  it("lets a signed link in, and else asks for a viewer", async () => {
    const linked = (await (await fetch(`${room.url}/v1/file?ft=good`)).json()) as { caller: Caller }
    equal(linked.caller.userId, "linked")
    equal((await fetch(`${room.url}/v1/file?ft=bad`)).status, 401)
    equal((await fetch(`${room.url}/v1/file?ft=bad`, { headers: viewer })).status, 200)
  })

  it("lets no Host and no X-Forwarded header decide anything", async () => {
    const forged =
      "Host: 127.0.0.1:1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost\r\nX-Forwarded-Proto: https\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
    match(await room.send(`GET /v1/mine HTTP/1.1\r\n${forged}Connection: close\r\n\r\n`), /^HTTP\/1.1 401 /)
  })
})

describe("answers", () => {
  let room: ScratchHttp
  before(async () => {
    room = await scratchHttp({
      made: route({ path: "/made", method: "POST", status: 201 }, () => ({ id: 1 })),
      nothing: route({ path: "/nothing" }, () => undefined),
      other: route({ path: "/other" }, () => ({ answer: "json", body: { status: "degraded" }, status: 503, headers: { "x-own": "1" } })),
      list: route({ path: "/list", alsoAs: "payload" }, () => ({ total: 1, rows: [{ id: 1 }], more: [] })),
      broken: route({ path: "/broken" }, () => {
        throw new Error("password=hunter2 at /etc/passwd")
      }),
      circular: route({ path: "/circular" }, () => {
        const value: Record<string, unknown> = {}
        value.value = value
        return value
      }),
      declared: route({ path: "/declared" }, () => {
        throw new Failure({ name: "scratch.taken", kind: "ALREADY_EXISTS", params: {}, text: "Taken." })
      }),
      unavailable: route({ path: "/unavailable" }, () => {
        throw fail("database_unavailable")
      }),
      limited: route({ path: "/limited" }, () => {
        throw fail("rate_limited", {}, { retryAfterMs: 1_001 })
      }),
      slow: route(
        { path: "/slow", limits: { timeoutMs: 50 } },
        ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("handler saw it")))),
      ),
      openai: route({ path: "/openai/:kind", errors: "openai" }, ({ params }) => {
        const { kind } = params as { kind: string }
        if (kind === "model") throw new Failure({ name: "scratch.unknown", kind: "NOT_FOUND", params: {}, text: "No such model.", openai: { code: "model_not_found" } })
        if (kind === "limit") throw fail("rate_limited", {}, { retryAfterMs: 5 })
        if (kind === "upstream") throw new Failure({ name: "scratch.upstream", kind: "UPSTREAM_FAILED", params: {}, text: "It failed." })
        if (kind === "forbidden") throw new Failure({ name: "scratch.foreign", kind: "FORBIDDEN", params: {}, text: "Not yours." })
        throw new Error("secret")
      }),
    })
  })
  after(() => room.close())
  const get = async (path: string, headers: Record<string, string> = viewer, method = "GET") => {
    const response = await fetch(room.url + path, { headers, method })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> }
  }

  it("are JSON with the declared status, never empty", async () => {
    deepEqual([(await get("/made", viewer, "POST")).status, (await get("/nothing")).status, (await get("/nothing")).body], [201, 200, {}])
    const { status, body, headers } = await get("/other")
    deepEqual([status, body, headers.get("x-own")], [503, { status: "degraded" }, "1"])
  })

  it("repeat the rows under payload, but not for the dashboard", async () => {
    deepEqual((await get("/list")).body, { total: 1, rows: [{ id: 1 }], more: [], payload: [{ id: 1 }] })
    deepEqual((await get("/list", { ...viewer, "x-goclaw-user-id": "anna" })).body, { total: 1, rows: [{ id: 1 }], more: [] })
  })

  it("carry a fresh X-Request-Id and the safe headers", async () => {
    const [one, two] = [await get("/nothing"), await get("/none")]
    ok(one.headers.get("x-request-id") !== two.headers.get("x-request-id"))
    for (const { headers } of [one, two]) {
      deepEqual(
        [headers.get("x-content-type-options"), headers.get("referrer-policy"), headers.get("content-security-policy")],
        ["nosniff", "no-referrer", "default-src 'none'; frame-ancestors 'none'"],
      )
      equal(headers.get("access-control-allow-origin"), null)
    }
  })

  it("tell of an unexpected failure nothing but an id that stands in the log", async () => {
    for (const path of ["/broken", "/circular"]) {
      const { status, body, headers } = await get(path)
      const id = headers.get("x-request-id") as string
      deepEqual([status, body.code, Object.keys(body)], [500, "INTERNAL", ["error", "code"]])
      ok((body.error as string).includes(id))
      ok(!/hunter2|passwd|circular|\.ts/i.test(JSON.stringify(body)))
      ok(room.logs.some((line) => line.includes(id) && line.includes('"level":50')))
    }
  })

  it("tell declared failures with status, code and text", async () => {
    const { status, body } = await get("/declared")
    deepEqual([status, body], [409, { error: "Taken.", code: "ALREADY_EXISTS" }])
  })

  it("name the whole seconds to wait", async () => {
    equal((await get("/unavailable")).headers.get("retry-after"), "1")
    equal((await get("/limited")).headers.get("retry-after"), "2")
  })

  it("come in time: 504, and the handler's signal ends", async () => {
    const { status, body } = await get("/slow")
    deepEqual([status, body.code], [504, "AGENT_TIMEOUT"])
  })

  it("have the error object of OpenAI where the route says so, but not for 401 and 403 of the auth layer", async () => {
    const shape = async (kind: string) => {
      const { status, body } = await get(`/openai/${kind}`)
      const { message, ...rest } = body.error as { message: string }
      equal(typeof message, "string")
      return { status, ...rest }
    }
    deepEqual(await shape("model"), { status: 404, type: "invalid_request_error", param: null, code: "model_not_found" })
    deepEqual(await shape("limit"), { status: 429, type: "rate_limit_error", param: null, code: "rate_limit_exceeded" })
    deepEqual(await shape("upstream"), { status: 502, type: "server_error", param: null, code: "internal_error" })
    deepEqual(await shape("forbidden"), { status: 403, type: "invalid_request_error", param: null, code: null })
    deepEqual(await shape("other"), { status: 500, type: "server_error", param: null, code: "internal_error" })
    const { status, body } = await get("/openai/model", {})
    deepEqual([status, body.code, typeof body.error], [401, "UNAUTHORIZED", "string"])
  })
})

describe("limits", () => {
  it("refuse work under too much load, before anything is looked at; public routes answer", async () => {
    const room = await scratchHttp({ open: route({ path: "/open", auth: "public", role: undefined } as never), work: route({ path: "/work" }) }, { overloaded: () => true })
    const response = await fetch(`${room.url}/work`, { headers: viewer })
    deepEqual([response.status, response.headers.get("retry-after"), room.shown.length], [503, "2", 0])
    equal((await fetch(`${room.url}/open`)).status, 200)
    await room.close()
  })

  it("spend the budget of routes that say so: 429 with Retry-After", async () => {
    const room = await scratchHttp({ chat: route({ path: "/chat", limits: { rate: true } }), free: route({ path: "/free" }) }, { waitMs: 12_001 })
    const response = await fetch(`${room.url}/chat`, { headers: viewer })
    deepEqual([response.status, response.headers.get("retry-after"), ((await response.json()) as { code: string }).code], [429, "13", "RESOURCE_EXHAUSTED"])
    equal((await fetch(`${room.url}/free`, { headers: viewer })).status, 200)
    await room.close()
  })

  it("end a handler's signal when its client leaves, and log no failure", async () => {
    let began: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      began = resolve
    })
    let reason: unknown
    const room = await scratchHttp({
      wait: route({ path: "/wait" }, ({ signal }) => {
        began()
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason
            reject(signal.reason)
          }),
        )
      }),
    })
    const socket = await room.open()
    socket.write("GET /wait HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer viewer\r\n\r\n")
    await started
    socket.destroy()
    while (reason === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
    match(String(reason), /client is gone/)
    ok(!room.logs.some((line) => line.includes('"level":50')))
    await room.close()
  })

  it("end all signals when the gateway stops: 503, without a warning about listeners", async () => {
    const warnings: Error[] = []
    const remember = (warning: Error) => warnings.push(warning)
    process.on("warning", remember)
    let waiting = 0
    const room = await scratchHttp({
      wait: route({ path: "/wait" }, ({ signal }) => {
        waiting += 1
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      }),
    })
    const answers = Array.from({ length: 30 }, () => fetch(`${room.url}/wait`, { headers: viewer }))
    while (waiting < 30) await new Promise((resolve) => setTimeout(resolve, 5))
    room.stop()
    deepEqual(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([503]))
    await new Promise((resolve) => setImmediate(resolve))
    process.off("warning", remember)
    deepEqual(warnings, [])
    await room.close()
  })
})
