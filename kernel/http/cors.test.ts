import { deepEqual, equal, match } from "node:assert/strict"
import { Type } from "typebox"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"

const routes = { one: { decl: { method: "GET", path: "/one", role: "viewer", summary: "A route", reply: Type.Object({}) } as const, handle: () => ({}) } }
const preflight = { origin: "https://dash.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization" }

async function withRoom(allowedOrigins: string[], work: (room: ScratchHttp) => Promise<void>): Promise<void> {
  const room = await scratchHttp(routes, { config: { allowedOrigins } })
  try {
    await work(room)
  } finally {
    await room.close()
  }
}
const corsOf = (response: Response) => Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("access-control") || name === "vary"))

describe("pages of other origins", () => {
  it("get nothing by default, not even a preflight", () =>
    withRoom([], async ({ url }) => {
      const response = await fetch(`${url}/one`, { method: "OPTIONS", headers: preflight })
      deepEqual([response.status, corsOf(response)], [405, {}])
      deepEqual(corsOf(await fetch(`${url}/one`, { headers: { ...preflight, authorization: "Bearer viewer" } })), {})
    }))

  it("of the configured origins are let in, with the headers of the contract and no cookies", () =>
    withRoom(["https://dash.example"], async ({ url }) => {
      const response = await fetch(`${url}/one`, { method: "OPTIONS", headers: preflight })
      equal(response.status, 200)
      const { "access-control-allow-headers": headers = "", ...rest } = corsOf(response)
      for (const header of [
        "Authorization",
        "X-GoClaw-User-Id",
        "X-GoClaw-Agent-Id",
        "X-GoClaw-Agent",
        "X-GoClaw-Tenant-Id",
        "X-GoClaw-Sender-Id",
        "Accept-Language",
        "Content-Type",
      ])
        match(headers, new RegExp(`\\b${header}\\b`))
      deepEqual(
        [rest["access-control-allow-origin"], rest["access-control-allow-methods"], rest["access-control-allow-credentials"], rest.vary],
        ["https://dash.example", "GET, POST, PUT, PATCH, DELETE", undefined, "Origin"],
      )
      const answer = await fetch(`${url}/one`, { headers: { origin: "https://dash.example", authorization: "Bearer viewer" } })
      deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [200, "https://dash.example"])
      equal((await fetch(`${url}/nothing`, { headers: { origin: "https://dash.example" } })).headers.get("access-control-allow-origin"), "https://dash.example")
    }))

  it("of other origins are not, however alike", () =>
    withRoom(["https://dash.example"], async ({ url }) => {
      for (const origin of [
        "https://dash.example.evil.test",
        "http://dash.example",
        "https://dash.example:8443",
        "https://DASH.example.",
        "null",
        "https://evil.test/https://dash.example",
      ]) {
        deepEqual([origin, corsOf(await fetch(`${url}/one`, { method: "OPTIONS", headers: { ...preflight, origin } }))], [origin, { vary: "Origin" }])
      }
    }))

  it("are all let in with *", () =>
    withRoom(["*"], async ({ url }) => {
      equal(
        (await fetch(`${url}/one`, { method: "OPTIONS", headers: { ...preflight, origin: "https://any.test" } })).headers.get("access-control-allow-origin"),
        "https://any.test",
      )
    }))
})
