import { equal } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("a tenant that is removed", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("takes with it what plugins keep for it, and leaves the audit log", async () => {
    const admin = await gateway.as("admin", "leaving")
    await admin.post("/v1/agents", { agent_key: "helper" })
    await admin.post("/v1/chat/completions", { messages: [{ role: "user", content: "hello" }] })
    await (await admin.rpc()).call("cron.create", { name: "daily", message: "hi", schedule: { kind: "cron", expr: "0 3 * * *" } })
    await gateway.as("owner").delete("/v1/tenants/leaving")
    const { rows } = await gateway.executeSql(`
      SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
      WHERE c.relkind = 'r' AND c.relforcerowsecurity AND c.relnamespace <> 'kernel'::regnamespace`)
    const counted = rows.map(({ name }) => `(SELECT count(*) FROM ${name} WHERE tenant_id = '${admin.tenantId}')`).join(" + ")
    const left = async () => Number((await gateway.executeSql(`SELECT ${counted} + (SELECT count(*) FROM kernel.gone_tenants) AS count`)).rows[0]?.count)
    while ((await left()) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    const told = await gateway.executeSql("SELECT 1 FROM kernel.activity WHERE tenant_id = $1 LIMIT 1", [admin.tenantId])
    equal(told.rows.length, 1)
  })
})
