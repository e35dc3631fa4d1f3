import { deepEqual, equal, match, ok } from "node:assert/strict"
import { defineManifest, definePlugin } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"

const greeter = definePlugin(
  defineManifest({
    id: "greeter",
    version: "1.0.0",
    sdk: "^1.0.0",
    summary: "Greets.",
    config: Type.Object(
      {
        greeting: Type.String({ default: "Hello" }),
        key: Type.Optional(Type.String({ format: "password" })),
        limits: Type.Optional(Type.Object({ perDay: Type.Optional(Type.Integer()), perHour: Type.Optional(Type.Integer()) }, { additionalProperties: false })),
      },
      { additionalProperties: false },
    ),
    routes: { greet: { method: "GET", path: "/v1/greeter", role: "viewer", summary: "Greet", reply: Type.Object({ greeting: Type.String(), key: Type.String() }) } },
  }),
  (host) => ({ routes: { greet: async () => ({ greeting: host.config.greeting, key: host.config.key ?? "" }) } }),
)

describe("plugins", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ plugins: [greeter], config: { plugins: { greeter: { limits: { perDay: 5 } } } } })
  })
  after(() => gateway.close())

  const greet = async (tenant = "master") => (await gateway.as("viewer", tenant).get("/v1/greeter")).body

  it("lists all of them, by id, a page at a time", async () => {
    const admin = await gateway.as("admin", "acme")
    const { body } = await admin.get("/v1/plugins")
    const ids = body.plugins.map(({ id }: { id: string }) => id)
    deepEqual(ids, [...ids].sort())
    for (const id of ["agents", "greeter", "plugins", "system"]) ok(ids.includes(id), id)
    deepEqual(
      body.plugins.find(({ id }: { id: string }) => id === "greeter"),
      { id: "greeter", version: "1.0.0", summary: "Greets.", origin: "bundled", state: "active", enabled: true, enabled_here: true },
    )
    deepEqual((await admin.get("/v1/plugins?limit=2&offset=1")).body.plugins, body.plugins.slice(1, 3))
  })

  it("shows one with what it contributes and, to those who may change them, its settings", async () => {
    const { body } = await gateway.as("owner").get("/v1/plugins/greeter")
    deepEqual([body.contributes.routes, body.config, body.locked], [["GET /v1/greeter"], { limits: { perDay: 5 } }, ["limits.perDay"]])
    equal(body.config_schema.properties.key.format, "password")
    equal("config" in (await gateway.as("admin", "acme").get("/v1/plugins/greeter")).body, false)
  })

  it("knows no plugin that is not there", async () => {
    const owner = await gateway.as("owner")
    for (const answer of [await owner.get("/v1/plugins/none"), await owner.post("/v1/plugins/none/enable"), await owner.delete("/v1/plugins/none")]) {
      deepEqual([answer.status, answer.body.code], [404, "NOT_FOUND"])
      match(answer.body.error, /plugboard plugins list/)
    }
  })

  it("switches a bundled plugin off and on again without a restart, for everyone", async () => {
    const admin = await gateway.as("admin")
    const off = await admin.post("/v1/plugins/greeter/disable")
    deepEqual(
      [off.status, off.body.state, off.body.reason, off.body.remedy],
      [200, "disabled", "an administrator has disabled it", "Switch it on with: plugboard plugins enable greeter"],
    )
    equal((await gateway.as("viewer").get("/v1/greeter")).status, 404)
    equal((await admin.get("/v1/openapi.json")).body.paths["/v1/greeter"], undefined)
    equal((await admin.post("/v1/plugins/greeter/enable")).body.state, "active")
    equal((await greet()).greeting, "Hello")
    ok((await admin.get("/v1/openapi.json")).body.paths["/v1/greeter"])
  })

  it("switches one off for a tenant, by the tenant's own admin", async () => {
    const acme = await gateway.as("admin", "acme")
    const { body } = await acme.post("/v1/plugins/greeter/disable", { scope: "tenant" })
    deepEqual([body.state, body.enabled, body.enabled_here], ["active", true, false])
    equal((await gateway.as("viewer", "acme").get("/v1/greeter")).status, 404)
    equal((await greet("globex")).greeting, "Hello")
    deepEqual((await gateway.as("owner").get("/v1/plugins/greeter")).body.off_for, [acme.tenantId])
    await acme.post("/v1/plugins/greeter/enable", { scope: "tenant" })
    equal((await greet("acme")).greeting, "Hello")
  })

  it("keeps on what a gateway cannot do without, and says why", async () => {
    const owner = await gateway.as("owner")
    for (const id of ["plugins", "system"]) {
      for (const scope of ["gateway", "tenant"]) {
        const { status, body } = await owner.post(`/v1/plugins/${id}/disable`, { scope })
        deepEqual([status, body.code], [409, "FAILED_PRECONDITION"])
        match(body.error, new RegExp(`${id} stays on: without it nobody could see whether the gateway is well`))
      }
    }
  })

  it("leaves what holds for the whole gateway to owners and the master tenant's admins", async () => {
    const acme = await gateway.as("admin", "acme")
    for (const answer of [
      await acme.post("/v1/plugins/greeter/disable"),
      await acme.put("/v1/plugins/greeter/config", {}),
      await acme.post("/v1/plugins/greeter/grant"),
      await acme.post("/v1/plugins/greeter/rollback"),
      await acme.delete("/v1/plugins/greeter"),
    ]) {
      deepEqual([answer.status, answer.body.code], [403, "UNAUTHORIZED"])
      match(answer.body.error, /scope "tenant"/)
    }
    equal((await acme.fetch("/v1/plugins", { method: "POST", body: "x", headers: { "content-type": "application/gzip" } })).status, 403)
  })

  it("is closed to viewers and operators", async () => {
    for (const role of ["viewer", "operator"] as const) {
      const client = await gateway.as(role)
      for (const answer of [await client.get("/v1/plugins"), await client.get("/v1/plugins/greeter"), await client.post("/v1/plugins/greeter/disable", { scope: "tenant" })])
        equal(answer.status, 403)
      equal((await (await client.rpc()).request("plugins.list")).error?.code, "UNAUTHORIZED")
    }
  })

  it("gives a plugin other settings without a restart, and keeps its secrets", async () => {
    const owner = await gateway.as("owner")
    const { status, body } = await owner.put("/v1/plugins/greeter/config", { greeting: "Xin chào", key: "very-secret-key" })
    deepEqual([status, body.config], [200, { greeting: "Xin chào", key: "***", limits: { perDay: 5 } }])
    deepEqual(await greet(), { greeting: "Xin chào", key: "very-secret-key" })
    await owner.put("/v1/plugins/greeter/config", { ...body.config, greeting: "你好" })
    deepEqual(await greet(), { greeting: "你好", key: "very-secret-key" })
    const { rows } = await gateway.executeSql("SELECT config::text AS config FROM kernel.plugins WHERE id = 'greeter'")
    equal(String(rows[0]?.config).includes("very-secret-key"), false)
    equal(JSON.stringify(await owner.get("/v1/plugins/greeter")).includes("very-secret-key"), false)
    equal(gateway.logs.join("").includes("very-secret-key"), false)
  })

  it("refuses settings that do not fit, and leaves the ones that are", async () => {
    const owner = await gateway.as("owner")
    const before = await greet()
    const wrong = await owner.put("/v1/plugins/greeter/config", { greetin: "Hi" })
    deepEqual([wrong.status, wrong.body.code], [400, "INVALID_REQUEST"])
    match(wrong.body.error, /greetin is unknown; did you mean greeting\?/)
    equal((await owner.put("/v1/plugins/system/config", { a: 1 })).status, 400)
    equal((await owner.put("/v1/plugins/greeter/config", { greeting: 7 })).status, 400)
    deepEqual(await greet(), before)
  })

  it("changes nothing that the configuration file sets, and names the file and the key", async () => {
    const owner = await gateway.as("owner")
    const { status, body } = await owner.put("/v1/plugins/greeter/config", { limits: { perDay: 6 } })
    deepEqual([status, body.code], [409, "FAILED_PRECONDITION"])
    match(body.error, /plugins\.greeter\.limits\.perDay is set in \.\/plugboard\.config\.json/)
    deepEqual((await owner.put("/v1/plugins/greeter/config", { limits: { perDay: 5, perHour: 2 } })).body.config.limits, { perDay: 5, perHour: 2 })
  })

  it("has nothing to agree to, roll back or remove in what comes with the gateway", async () => {
    const owner = await gateway.as("owner")
    for (const answer of [await owner.post("/v1/plugins/greeter/grant"), await owner.post("/v1/plugins/greeter/rollback"), await owner.delete("/v1/plugins/greeter?purge=true")]) {
      deepEqual([answer.status, answer.body.code], [409, "FAILED_PRECONDITION"])
      match(answer.body.error, /plugboard plugins disable greeter/)
    }
  })

  it("writes each change into the audit log, without the settings themselves", async () => {
    const { rows } = await gateway.executeSql("SELECT action, entity_id, details FROM kernel.activity WHERE entity_type = 'plugin' ORDER BY created_at, id")
    const actions = new Set(rows.map(({ action }) => action))
    for (const action of ["plugin.disabled", "plugin.enabled", "plugin.configured"]) ok(actions.has(action), action)
    deepEqual(rows.find(({ action }) => action === "plugin.configured")?.details, { keys: ["greeting", "key"] })
  })

  it("does the same over the socket, and tells the admins of a tenant who look on", async () => {
    const watching = await gateway.as("admin", "acme", "watcher").rpc()
    const rpc = await gateway.as("admin", "acme").rpc()
    ok((await rpc.call("plugins.list")).plugins.some(({ id }: { id: string }) => id === "greeter"))
    equal((await rpc.call("plugins.inspect", { id: "greeter" })).id, "greeter")
    equal((await rpc.call("plugins.disable", { id: "greeter", scope: "tenant" })).enabled_here, false)
    deepEqual((await watching.next("plugins.changed")).payload, { id: "greeter" })
    equal((await rpc.call("plugins.enable", { id: "greeter", scope: "tenant" })).enabled_here, true)
    equal((await rpc.request("plugins.configure", { id: "greeter", config: {} })).error?.code, "UNAUTHORIZED")
    equal((await rpc.request("plugins.add", { tarball: "AAAA" })).error?.code, "UNAUTHORIZED")
    const owner = await gateway.as("owner").rpc()
    equal((await owner.request("plugins.add", { tarball: "AAAA" })).error?.code, "INVALID_REQUEST")
    equal((await owner.request("plugins.remove", { id: "greeter" })).error?.code, "FAILED_PRECONDITION")
  })
})

describe("a plugin that the configuration file switches", () => {
  it("cannot be switched otherwise, and stays as the file says", async () => {
    const gateway = await testGateway({ plugins: [greeter], config: { plugins: { greeter: { enabled: false } } } })
    const owner = await gateway.as("owner")
    const { status, body } = await owner.post("/v1/plugins/greeter/enable")
    equal(status, 409)
    match(body.error, /plugins\.greeter\.enabled is set in \.\/plugboard\.config\.json/)
    const shown = (await owner.get("/v1/plugins/greeter")).body
    deepEqual(
      [shown.state, shown.reason, shown.remedy],
      ["disabled", "plugins.greeter.enabled is false in the configuration", "Change it in ./plugboard.config.json, then restart the gateway."],
    )
    await gateway.close()
  })
})
