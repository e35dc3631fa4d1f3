import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("docs", () => {
  let room: TestGateway
  before(async () => {
    room = await testGateway()
  })
  after(() => room.close())

  it("has a page for everyone, with and without a slash", async () => {
    for (const path of ["/docs", "/docs/"]) {
      const response = await fetch(room.url + path, { headers: { authorization: "Bearer nobody" } })
      deepEqual([response.status, response.headers.get("content-type")], [200, "text/html; charset=utf-8"])
      equal((await fetch(room.url + path, { method: "HEAD" })).status, 200)
    }
  })

  it("loads from its own origin alone, and nothing that its policy forbids", async () => {
    const response = await fetch(`${room.url}/docs`)
    const html = await response.text()
    const policy = response.headers.get("content-security-policy") ?? ""
    for (const rule of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) ok(policy.includes(rule))
    ok(!/<script(?![^>]* src=)|\son\w+=|https?:\/\//.test(html))
    for (const [, path] of html.matchAll(/<(?:script|link)[^>]* (?:src|href)="(\/[^"]+)"/g)) {
      const asset = await fetch(room.url + path)
      deepEqual([path, asset.status, asset.headers.get("x-content-type-options")], [path, 200, "nosniff"])
      match(asset.headers.get("content-type") ?? "", /^text\/(css|javascript); charset=utf-8$/)
      ok((await asset.arrayBuffer()).byteLength > 50)
    }
    match(html, /src="\/docs\/start\.js"/)
  })

  it("hands out no other file", async () => {
    for (const name of ["package.json", "../package.json", "..%2fpackage.json", "index.html", "swagger-ui.js", "%2e%2e/%2e%2e/package.json"])
      equal((await fetch(`${room.url}/docs/${name}`)).status, 404)
  })

  for (const [path, dialect, version] of [
    ["/v1/openapi.json", "openapi", "3.0.3"],
    ["/v1/rpc.json", "openrpc", "1.3.2"],
  ] as const) {
    it(`leads to ${path}, which any origin may read, and which is sent once`, async () => {
      match(await (await fetch(`${room.url}/docs`)).text(), new RegExp(`<a href="${path}">`))
      const response = await fetch(room.url + path)
      deepEqual([response.status, response.headers.get("access-control-allow-origin"), response.headers.get("content-type")], [200, "*", "application/json; charset=utf-8"])
      equal(((await response.json()) as Record<string, string>)[dialect], version)
      equal((await fetch(room.url + path, { headers: { "if-none-match": response.headers.get("etag") as string } })).status, 304)
      equal((await fetch(room.url + path, { method: "HEAD" })).status, 200)
    })
  }

  it("answers 405 with Allow to anything but GET and HEAD", async () => {
    for (const path of ["/docs", "/v1/openapi.json"]) {
      const { status, headers } = await fetch(room.url + path, { method: "PUT" })
      deepEqual([path, status, headers.get("allow")], [path, 405, "GET, HEAD"])
    }
  })

  it("is not there when it is switched off, and the rest is", async () => {
    const without = await testGateway({ config: { plugins: { docs: { enabled: false } } } })
    try {
      for (const path of ["/docs", "/v1/openapi.json", "/v1/rpc.json"]) equal((await fetch(without.url + path)).status, 404)
      equal((await fetch(`${without.url}/health`)).status, 200)
    } finally {
      await without.close()
    }
  })
})
