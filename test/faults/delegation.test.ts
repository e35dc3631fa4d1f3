import { deepEqual, equal, match } from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type RpcClient, testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"

const delegate = (task: string, mode: string) => `/tool delegate ${JSON.stringify({ agent: "writer", task, mode })}`
type Post = (path: string, body: object) => Promise<unknown>
async function linked(post: Post, max_concurrent: number): Promise<void> {
  for (const agent_key of ["lead", "writer"]) await post("/v1/agents", { agent_key, agent_type: "predefined", display_name: agent_key, provider: "", model: "" })
  await post("/v1/agents/links", { source_agent: "lead", target_agent: "writer", max_concurrent })
}

if (process.env.TEST_DATABASE_URL) {
  describe("delegation on two gateways over one database", () => {
    it("has no more at once over a link than it may, on both together, and an abort on one ends it on the other", async () => {
      const one = await testGateway()
      const dataDir = await mkdtemp(join(tmpdir(), "plugboard-"))
      const two = await testGateway({ on: one.storage, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const admin = await one.as("admin", "acme", "anna")
      await linked((path, body) => admin.post(path, body), 2)
      const clients = [await admin.rpc(), await (await two.as("admin", "acme", "anna")).rpc()]
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          (clients[index % 2] as RpcClient).call("chat.send", {
            agentId: "lead",
            sessionKey: `agent:lead:ws:direct:${index}`,
            message: delegate("/slow 300 100", "async"),
          }),
        ),
      )
      const begun = answers.filter(({ content }) => content.includes("has begun"))
      deepEqual([begun.length, answers.filter(({ content }) => content.includes("works on 2 tasks")).length], [2, 4])
      const [here, there] = clients as [RpcClient, RpcClient]
      const { records } = await here.call("delegations.list")
      for (const { metadata } of records) await there.call("chat.abort", { sessionKey: metadata.session_key })
      for (const { id } of records) await here.next("delegation.cancelled", (event) => event.delegation_id === id)
      await two.close({ keep: true })
      await one.close()
      await rm(dataDir, { recursive: true })
    }).timeout(60_000)
  })
}

describe("kill -9 while work is handed on", function () {
  this.timeout(180_000)
  const token = "delegation-kill-token-0123456789"
  let storage: Awaited<ReturnType<typeof scratchDatabase>>
  let gateway: Running
  const start = () =>
    startGateway({ PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  const connect = async (): Promise<RpcClient> => {
    const client = await openRpc(gateway.url)
    await client.call("connect", { token, user_id: "anna", locale: "en" })
    return client
  }
  after(async () => {
    await gateway?.stop()
    await storage?.drop()
  })

  it("fails the delegation, and the agent that went on is told in its session", async () => {
    storage = await scratchDatabase()
    gateway = await start()
    await linked(
      (path, body) => fetch(gateway.url + path, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify(body) }),
      3,
    )
    const client = await connect()
    const sessionKey = "agent:lead:ws:direct:1"
    await client.call("chat.send", { agentId: "lead", sessionKey, message: delegate("/slow 300 100", "async") })
    await gateway.kill()
    gateway = await start()
    const again = await connect()
    const messages = async (): Promise<{ role: string; content: string }[]> => (await again.call("chat.history", { sessionKey })).messages
    for (const deadline = performance.now() + 60_000; (await messages()).length < 6 && performance.now() < deadline; ) await sleep(100)
    const told = (await messages()).filter(({ role, content }) => role === "user" && content.startsWith("[Delegation "))
    equal(told.length, 1)
    match(told[0]?.content ?? "", /: failed\]\n\nThe gateway stopped before it was done/)
    const { records } = await again.call("delegations.list")
    deepEqual([records.length, records[0].status], [1, "failed"])
    again.close()
  })
})
