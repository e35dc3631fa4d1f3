import { deepEqual, equal, match } from "node:assert/strict"
import type { Caller } from "@plugboard/sdk"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import { route, type ScratchHttp, scratchHttp, viewer } from "./scratch.test.ts"

describe("who is asking", () => {
  let room: ScratchHttp
  let asked: string[]
  let bodies: number
  before(async () => {
    room = await scratchHttp(
      {
        open: route({ path: "/v1/open", auth: "public" }, ({ caller }) => ({ caller })),
        hook: route({ path: "/v1/hook", auth: "webhook" }, ({ caller }) => ({ caller })),
        file: route({ path: "/v1/file", auth: "signed" }, ({ caller }) => ({ caller })),
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

  it("takes x-api-key for the same token, where there is no bearer token", async () => {
    for (const [headers, token] of [
      [{ "x-api-key": "viewer" }, "viewer"],
      [{ "x-api-key": " " }, undefined],
      [{ "x-api-key": "operator", authorization: "Bearer viewer" }, "viewer"],
      [{ "x-api-key": "operator", authorization: "Basic viewer" }, undefined],
    ] as [Record<string, string>, string | undefined][]) {
      const response = await fetch(`${room.url}/v1/mine`, { headers })
      const { headers: seen } = (await response.json()) as { headers?: Record<string, string> }
      deepEqual([room.shown.at(-1)?.token, response.status, seen?.["x-api-key"]], [token, token ? 200 : 401, undefined])
    }
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
