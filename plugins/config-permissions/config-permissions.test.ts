import { deepEqual, equal } from "node:assert/strict"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("config-permissions", () => {
  let gateway: TestGateway
  let rpc: RpcClient
  before(async () => {
    gateway = await testGateway()
    rpc = await gateway.as("admin", "acme", "anna").rpc()
    await gateway.as("admin", "acme", "anna").post("/v1/agents", { agent_key: "scribe" })
  })
  after(() => gateway.close())

  const grant = (rule: object) => rpc.call("config.permissions.grant", { agentId: "scribe", scope: "*", configType: "cron", userId: "ana", permission: "allow", ...rule })
  const decision = async (asked: object = {}) => {
    const { decision } = await rpc.call("config.permissions.check", { agentId: "scribe", scope: "group:telegram:1", configType: "cron", userId: "ana", ...asked })
    return [decision.allowed, decision.reason]
  }

  it("are decided by the rule that says most, and by none to no", async () => {
    deepEqual(await decision(), [false, "no_rule"])
    await grant({})
    deepEqual(await decision(), [true, "allow:*"])
    deepEqual(await decision({ configType: "heartbeat" }), [false, "no_rule"])
    await grant({ scope: "group:*", userId: "*", configType: "*", permission: "deny" })
    deepEqual(await decision(), [false, "deny:group:*"])
    deepEqual(await decision({ scope: "agent" }), [true, "allow:*"])
    await grant({ scope: "group:telegram:1" })
    deepEqual(await decision(), [true, "allow:group:telegram:1"])
    await rpc.call("config.permissions.revoke", { agentId: "scribe", scope: "group:telegram:1", configType: "cron", userId: "ana" })
    deepEqual(await decision(), [false, "deny:group:*"])
  })

  it("are listed with who granted them, and granted again in place", async () => {
    const rule = { scope: "agent", configType: "file_writer", userId: "bob" }
    await grant({ ...rule, metadata: { displayName: "Bob" } })
    await grant({ ...rule, permission: "deny", grantedBy: "olga" })
    const { permissions } = await rpc.call("config.permissions.list", { agentId: "scribe", configType: "file_writer" })
    const [{ id, createdAt, updatedAt, ...rest }] = permissions
    deepEqual([permissions.length, typeof id, createdAt < updatedAt, rest], [1, "string", true, { agentId: "scribe", ...rule, permission: "deny", grantedBy: "olga" }])
    const other = await gateway.as("admin", "globex").rpc()
    deepEqual(await other.call("config.permissions.list"), { permissions: [] })
    equal((await other.request("config.permissions.list", { agentId: "scribe" })).error?.code, "NOT_FOUND")
  })

  it("are taken and shown as the command-line client has them", async () => {
    const cli = await openRpc(gateway.url)
    await cli.call("connect", { token: gateway.token, user_id: "cli" })
    deepEqual(await cli.call("config.permissions.grant", { user_id: "carl", key: "heartbeat" }), { ok: true })
    const listed = await cli.call("config.permissions.list")
    deepEqual(
      listed.map(({ agentId, scope, configType, userId, permission, grantedBy }: Record<string, string>) => [agentId, scope, configType, userId, permission, grantedBy]),
      [["default", "*", "heartbeat", "carl", "allow", "cli"]],
    )
    for (const _ of [1, 2]) deepEqual(await cli.call("config.permissions.revoke", { user_id: "carl", key: "heartbeat" }), { ok: true })
    deepEqual(await cli.call("config.permissions.list"), [])
    equal((await cli.request("config.permissions.grant", { user_id: "carl", key: "everything" })).error?.code, "INVALID_REQUEST")
    cli.close()
  })

  it("let a user write the files of an agent that is not theirs, and no other's", async () => {
    await gateway.as("admin", "acme", "anna").post("/v1/agents/default/shares", { user_id: "otto" })
    const otto = await gateway.as("operator", "acme", "otto").rpc()
    const write = async (more = {}) => (await otto.request("agents.files.set", { agentId: "default", name: "AGENTS.md", content: "Be kind.", ...more })).error?.code
    equal(await write(), "UNAUTHORIZED")
    await rpc.call("config.permissions.grant", { agentId: "default", scope: "agent", configType: "context_files", userId: "otto" })
    deepEqual([await write(), await write({ propagate: true })], [undefined, "UNAUTHORIZED"])
    await rpc.call("config.permissions.revoke", { agentId: "default", scope: "agent", configType: "context_files", userId: "otto" })
    equal(await write(), "UNAUTHORIZED")
  })

  it("go with their agent, and are told in the audit log", async () => {
    const admin = await gateway.as("admin", "acme", "anna")
    const { id } = (await admin.post("/v1/agents", { agent_key: "brief" })).body
    await rpc.call("config.permissions.grant", { agentId: id, scope: "agent", configType: "*", userId: "*" })
    const { logs } = (await admin.get("/v1/activity?entity_type=config_permission&entity_id=brief")).body
    deepEqual([logs[0].action, logs[0].details], ["config_permission.granted", { scope: "agent", config_type: "*", user_id: "*", permission: "allow" }])
    await admin.delete("/v1/agents/brief")
    const { rows } = await gateway.executeSql("SELECT 1 FROM config_permissions.permissions WHERE agent_id = $1", [id])
    deepEqual(rows, [])
  })
})
