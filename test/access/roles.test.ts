import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type Role, roles, type Scope } from "@plugboard/sdk"
import { openRpc, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Credential, connected, connectForms, everyCredential } from "./credentials.ts"
import { paramsOf, requestTo, type SampleRequest } from "./sample.ts"

// Bad days, S9 and S10: every route and method that is served, whoever contributes it, with every credential that is not enough.
describe("access", function access() {
  this.timeout(120_000)
  let gateway: TestGateway
  let credentials: Credential[]
  before(async () => {
    gateway = await testGateway()
    credentials = await everyCredential(gateway, "acme")
  })
  after(() => gateway.close())

  const nothing = () => undefined
  const routes = () => gateway.registry.current.routes
  const methods = () => [...gateway.registry.current.methods.values()]
  async function ask({ method, path, body }: SampleRequest, headers: Record<string, string>) {
    const response = await fetch(gateway.url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    return { status: response.status, text }
  }
  const isBelow = (role: Role, least: Role) => roles.indexOf(role) < roles.indexOf(least)

  it("is declared on everything that is served", () => {
    const open = [...routes(), ...methods()].filter(({ decl }) => !roles.includes(decl.role as Role) && !["public", "signed", "webhook"].includes(decl.auth as string))
    deepEqual(open, [])
    ok(routes().length > 10 && methods().length > 10)
  })

  it("is refused by every route to those who show nothing, or something wrong", async () => {
    const wrong: Record<string, string>[] = [
      {},
      { authorization: "Bearer wrong" },
      { authorization: `Basic ${gateway.token}` },
      { authorization: `Bearer ${gateway.token}x` },
      { "x-api-key": "wrong" },
      { "x-goclaw-sender-id": "wrong" },
      { "x-goclaw-user-id": "system", "x-goclaw-tenant-id": "master" },
    ]
    for (const { decl } of routes()) {
      if (decl.auth === "public" || decl.auth === "webhook") continue
      for (const headers of wrong) {
        const request = requestTo(decl, nothing)
        const { status, text } = await ask(request, headers)
        equal(status, 401, `${request.method} ${request.path}`)
        deepEqual(Object.keys(JSON.parse(text)).sort(), ["code", "error"])
      }
    }
  })

  it("is refused by every method before connect, and after a connect that failed", async () => {
    const socket = await openRpc(gateway.url)
    for (const attempt of [undefined, { token: "wrong", user_id: "system" }, { token: "", sender_id: "wrong" }]) {
      if (attempt?.token) equal((await socket.request("connect", attempt)).error?.code, "UNAUTHORIZED")
      for (const { method, decl } of methods()) {
        if (decl.before === "connect" || decl.auth === "public") continue
        equal((await socket.request(method, paramsOf(decl, nothing))).error?.code, "UNAUTHORIZED", method)
      }
    }
    socket.close()
  })

  it("is refused by every route to every lower role, however it is shown", async () => {
    for (const { decl } of routes()) {
      for (const { way, role, headers } of credentials) {
        if (decl.role === undefined || !isBelow(role, decl.role)) continue
        const request = requestTo(decl, nothing)
        const { status, text } = await ask(request, headers)
        equal(status, 403, `${request.method} ${request.path} as ${role} by ${way}: ${text}`)
        deepEqual(JSON.parse(text).code, "UNAUTHORIZED")
        match(JSON.parse(text).error, new RegExp(decl.role))
      }
    }
  })

  it("is refused by every method to every lower role, however it is shown", async () => {
    for (const credential of credentials) {
      for (const form of connectForms(credential)) {
        const socket = await connected(gateway, form)
        for (const { method, decl } of methods()) {
          if (decl.role === undefined || !isBelow(credential.role, decl.role)) continue
          const { error } = await socket.request(method, paramsOf(decl, nothing))
          equal(error?.code, "UNAUTHORIZED", `${method} as ${credential.role} by ${credential.way}`)
          match(error?.message ?? "", new RegExp(decl.role))
        }
        socket.close()
      }
    }
  })

  it("is the same role and tenant by every way, on HTTP and on the socket", async () => {
    const tenantId = await gateway.tenant("acme")
    for (const credential of credentials) {
      for (const form of connectForms(credential)) {
        const socket = await openRpc(gateway.url)
        const connection = await socket.call("connect", form)
        // Owners are narrowed by the tenant that they name outright, not by a hint.
        const hinted = credential.role === "owner" && "tenant_hint" in form
        deepEqual([connection.role, hinted || connection.tenant_id], [credential.role, hinted || tenantId], credential.way)
        socket.close()
      }
    }
  })

  it("does not grow by repeating connect with less", async () => {
    const strong = credentials.find(({ role }) => role === "owner") as Credential
    const weak = credentials.find(({ role }) => role === "viewer") as Credential
    const socket = await connected(gateway, strong.connect)
    equal((await socket.call("connect", weak.connect)).role, "viewer")
    for (const { method, decl } of methods()) {
      if (decl.role === undefined || decl.role === "viewer") continue
      equal((await socket.request(method, paramsOf(decl, nothing))).error?.code, "UNAUTHORIZED", method)
    }
    socket.close()
  })

  it("is opened beyond the role by the declared scope alone", async () => {
    const owner = await gateway.as("owner")
    for (const scope of ["operator.approvals", "operator.pairing", "operator.provision"] satisfies Scope[]) {
      const { key } = (await owner.post("/v1/api-keys", { name: scope, scopes: [scope] })).body
      const role: Role = scope === "operator.provision" ? "viewer" : "operator"
      for (const { decl } of routes()) {
        if (decl.role === undefined || decl.orScope === scope || !isBelow(role, decl.role)) continue
        const request = requestTo(decl, nothing)
        equal((await ask(request, { authorization: `Bearer ${key}` })).status, 403, `${request.method} ${request.path} with ${scope}`)
      }
    }
  })

  it("says what is missing in whole sentences", async () => {
    const viewer = await gateway.as("viewer", "acme")
    for (const locale of ["en", "vi", "zh"]) {
      const { body } = await viewer.post("/v1/api-keys", {}, { "accept-language": locale })
      equal(/[{}]/.test(body.error), false, body.error)
    }
  })
})
