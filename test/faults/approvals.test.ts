import { deepEqual, equal, match } from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { defineManifest, definePlugin, Tools } from "@plugboard/sdk"
import { openRpc, type RpcClient, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

const launcher = definePlugin(defineManifest({ id: "launcher", version: "1.0.0", sdk: "^1.0.0", contributes: [Tools] }), (host) => {
  host.contribute(Tools, "launch", { name: "launch", description: "Runs.", parameters: Type.Object({}), risk: "exec", call: async () => ({ content: "launched" }) })
  return {}
})

if (process.env.TEST_DATABASE_URL) {
  describe("approvals on two gateways over one database", () => {
    it("lets a run on one go on when it is approved on the other", async () => {
      const one = await testGateway({ plugins: [launcher] })
      const dataDir = await mkdtemp(join(tmpdir(), "plugboard-"))
      const two = await testGateway({ plugins: [launcher], on: one.storage, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const here = await one.as("operator", "acme", "alice").rpc()
      const there = await two.as("admin", "acme", "ada").rpc()
      for (const [decision, content] of [
        ["approve", /launched/],
        ["deny", /ada has denied/],
      ] as const) {
        const sessionKey = `agent:default:ws:direct:${decision}`
        const answer = here.call("chat.send", { sessionKey, message: "/tool launch {}" })
        const { payload } = await there.next("exec.approval.requested", (event) => event.sessionKey === sessionKey)
        await there.call(`exec.approval.${decision}`, { id: payload.id })
        match((await answer).content, content)
        equal((await here.next("exec.approval.resolved", (event) => event.id === payload.id)).payload.status, decision === "approve" ? "approved" : "denied")
      }
      await two.close({ keep: true })
      await one.close()
      await rm(dataDir, { recursive: true })
    }).timeout(60_000)
  })
}

describe("kill -9 while a call waits for approval", function () {
  this.timeout(180_000)
  const token = "approval-kill-token-0123456789"
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  const start = () =>
    startGateway({ PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  const connect = async (): Promise<RpcClient> => {
    const client = await openRpc(gateway.url)
    await client.call("connect", { token, user_id: "alice", locale: "en" })
    return client
  }
  after(async () => {
    await gateway?.stop()
    await storage?.drop()
  })

  it("interrupts the run, and nobody is asked any more", async () => {
    storage = await scratchDatabase()
    gateway = await start()
    const client = await connect()
    // A bundled tool is risky enough for an agent that says so.
    await fetch(`${gateway.url}/v1/agents`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ agent_key: "careful", display_name: "Careful", provider: "", model: "", tools_config: { approval: { safe: "ask" } } }),
    })
    const sessionKey = "agent:careful:ws:direct:1"
    void client.request("chat.send", { agentId: "careful", sessionKey, message: '/tool datetime {"tz":"UTC"}' })
    const { payload } = await client.next("exec.approval.requested", undefined, 30_000)
    await gateway.kill()
    gateway = await start()
    const again = await connect()
    const look = async () => (await again.call("exec.approval.list")).pending
    for (const deadline = performance.now() + 60_000; (await look()).length > 0 && performance.now() < deadline; ) await sleep(100)
    deepEqual(await look(), [])
    const { error } = await again.request("exec.approval.approve", { id: payload.id })
    equal(error?.code, "FAILED_PRECONDITION")
    match(error?.message ?? "", /expired/)
    equal((await again.call("chat.session.status", { sessionKey })).isRunning, false)
    again.close()
  })
})
