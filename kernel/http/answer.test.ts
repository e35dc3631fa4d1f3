import { deepEqual, equal, ok } from "node:assert/strict"
import { Failure } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import { route, type ScratchHttp, scratchHttp, viewer } from "./scratch.test.ts"

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
