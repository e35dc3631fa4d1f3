import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { startUpstream, type Upstream } from "../../test/upstream/openai.ts"
import { beingIn } from "./writing.ts"

const being = { "SOUL.md": "You are dry.", "IDENTITY.md": "- Name: Ida", display_name: "Ida", frontmatter: "Keeps lists." }
/** The upstream's model `echo` says it again: a description of this form is its own answer. */
const description = JSON.stringify(being)

const delayMs = 60
const config = { plugins: { "agent-summoning": { delayMs } } }

describe("the summoning of an agent", () => {
  let upstream: Upstream
  let gateway: TestGateway
  let admin: TestClient
  let rpc: RpcClient
  before(async () => {
    upstream = await startUpstream()
    gateway = await testGateway({ config })
    admin = await gateway.as("admin", "acme", "anna")
    await admin.post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: upstream.url, api_key: "sk-x" })
    rpc = await admin.rpc()
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  const create = async (agent_key: string, more: object = {}) => (await admin.post("/v1/agents", { agent_key, agent_type: "predefined", model: "echo", description, ...more })).body
  const agentOf = async (key: string) => (await admin.get(`/v1/agents/${key}`)).body
  const fileOf = async (agentId: string, name: string) => (await rpc.call("agents.files.get", { agentId, name })).file.content
  const heard = new WeakSet<object>()
  /** Steps of one agent up to its end, each told once. */
  async function stepsOf(id: string, socket = rpc): Promise<Record<string, string>[]> {
    const steps: Record<string, string>[] = []
    for (;;) {
      const { payload } = await socket.next("agent.summoning", (one) => one.agent_id === id && !heard.has(one))
      heard.add(payload)
      const { agent_id, ...step } = payload
      steps.push(step)
      if (step.type === "completed" || step.type === "failed") return steps
    }
  }
  const files = ["SOUL.md", "IDENTITY.md"].map((file) => ({ type: "file_generated", file }))

  it("writes its files, name and purpose by a model, after the reply and a pause", async () => {
    const began = performance.now()
    const { id, status } = await create("keeper")
    equal(status, "summoning")
    equal((await rpc.request("chat.send", { agentId: "keeper", message: "hello" })).error?.code, "NOT_FOUND")
    deepEqual(await stepsOf(id), [{ type: "started" }, ...files, { type: "completed" }])
    ok(performance.now() - began > delayMs)
    const agent = await agentOf("keeper")
    deepEqual([agent.status, agent.display_name, agent.frontmatter], ["active", "Ida", "Keeps lists."])
    deepEqual([await fileOf("keeper", "SOUL.md"), await fileOf("keeper", "IDENTITY.md")], ["You are dry.", "- Name: Ida"])
  })

  it("that needs no model is told of all the same: an open agent, one without a description, one where there is no model", async () => {
    const offline = await gateway.as("admin", "offline", "anna")
    const socket = await offline.rpc()
    const { id, status } = (await offline.post("/v1/agents", { agent_key: "plain", agent_type: "predefined", description: "Keeps lists.", display_name: "Ida" })).body
    const [open, silent] = [await create("open", { agent_type: "open" }), await create("silent", { description: "" })]
    deepEqual([status, open.status, silent.status], ["active", "active", "active"])
    for (const [agentId, listener] of [
      [id, socket],
      [open.id, rpc],
      [silent.id, rpc],
    ] as const)
      deepEqual(await stepsOf(agentId, listener), [{ type: "started" }, ...files, { type: "completed" }])
    match((await socket.call("agents.files.get", { agentId: "plain", name: "SOUL.md" })).file.content, /^You are Ida\.\n\nKeeps lists\./)
    equal(await fileOf("silent", "SOUL.md"), undefined)
    equal((await offline.post("/v1/agents/plain/resummon")).status, 503)
  })

  it("ends well with plain files when the model's answer holds none", async () => {
    const { id } = await create("talker", { description: "Talks.", display_name: "Tom" })
    equal((await stepsOf(id)).at(-1)?.type, "completed")
    match(await fileOf("talker", "IDENTITY.md"), /^- Name: Tom\n/)
    equal((await agentOf("talker")).display_name, "Tom")
  })

  it("that fails says why, and can be tried again", async () => {
    const { id } = await create("unlucky", { model: "status-401" })
    const steps = await stepsOf(id)
    equal(steps.at(-1)?.type, "failed")
    match(steps.at(-1)?.error ?? "", /\w/)
    equal((await agentOf("unlucky")).status, "summon_failed")
    await admin.put("/v1/agents/unlucky", { model: "echo" })
    const { status, body } = await admin.post("/v1/agents/unlucky/resummon")
    deepEqual([status, body], [202, { ok: "true", status: "summoning" }])
    equal((await stepsOf(id)).at(-1)?.type, "completed")
    equal((await agentOf("unlucky")).status, "active")
  })

  it("again with a wish rewrites the files, and leaves them when it was not understood; without one it needs a description", async () => {
    const { id } = await create("changing", { description: "" })
    await stepsOf(id)
    await rpc.call("agents.files.set", { agentId: "changing", name: "SOUL.md", content: "You are wet." })
    equal((await admin.post("/v1/agents/changing/resummon")).status, 400)
    equal((await admin.post("/v1/agents/changing/regenerate")).status, 400)
    equal((await admin.post("/v1/agents/changing/regenerate", { prompt: "Be dry." })).status, 202)
    equal((await stepsOf(id)).at(-1)?.type, "failed")
    equal(await fileOf("changing", "SOUL.md"), "You are wet.")
    await admin.post("/v1/agents/changing/regenerate", { prompt: description })
    equal((await stepsOf(id)).at(-1)?.type, "completed")
    equal(await fileOf("changing", "SOUL.md"), "You are dry.")
    const actions = (await admin.get(`/v1/activity?entity_id=${id}`)).body.logs.map(({ action }: { action: string }) => action)
    deepEqual(actions.slice(0, 3), ["agent.summoned", "agent.regenerated", "agent.regenerated"])
  })

  it("is one at a time, and can be cancelled: what the model says then changes nothing, and its call ends", async () => {
    const left = new Promise<boolean>((resolve) => upstream.script(({ closed }) => void closed.then(resolve)))
    const { id } = await create("slow")
    equal((await admin.post("/v1/agents/slow/regenerate", { prompt: "x" })).status, 409)
    while (!upstream.requests.some(({ body }) => JSON.stringify(body).includes("key is slow"))) await new Promise((resolve) => setTimeout(resolve, 50))
    const { status, body } = await admin.post("/v1/agents/slow/cancel-summon")
    deepEqual([status, body], [202, { ok: "true", status: "summon_failed" }])
    equal((await stepsOf(id)).at(-1)?.type, "failed")
    ok(await left)
    upstream.script(undefined)
    equal((await admin.post("/v1/agents/slow/cancel-summon")).status, 409)
    equal((await agentOf("slow")).status, "summon_failed")
  })

  it("whose gateway is gone ends as failed with its next start", async () => {
    const { id } = await create("orphan", { description: "" })
    const socket = await gateway.as("admin", "acme", "anna").rpc()
    await stepsOf(id)
    await gateway.executeSql("UPDATE agents.agents SET status = 'summoning' WHERE id = $1", [id])
    await gateway.executeSql(
      "INSERT INTO agent_summoning.summonings (id, tenant_id, agent_id, node, boot, started_at) SELECT gen_random_uuid(), tenant_id, id, 'gone', 'gone', now() - interval '1 hour' FROM agents.agents WHERE id = $1",
      [id],
    )
    socket.close()
    const { storage } = gateway
    await gateway.close({ keep: true })
    gateway = await testGateway({ config, on: storage })
    admin = await gateway.as("admin", "acme", "anna")
    rpc = await admin.rpc()
    equal((await agentOf("orphan")).status, "summon_failed")
  })

  it("is for the agent's owner and admins", async () => {
    const { id } = await create("guarded", { description: "" })
    await rpc.call("agents.update", { agentId: "guarded", owner_ids: ["otto"] })
    await admin.post("/v1/agents/guarded/shares", { user_id: "vera" })
    for (const [role, tenant, user, expected] of [
      ["viewer", "acme", "otto", 403],
      ["operator", "acme", "vera", 403],
      ["operator", "acme", "mallory", 404],
      ["admin", "globex", "otto", 404],
      ["operator", "acme", "otto", 400],
    ] as const) {
      const client = await gateway.as(role, tenant, user)
      for (const path of ["regenerate", "resummon"]) equal((await client.post(`/v1/agents/${id}/${path}`)).status, expected, `${role} ${user} ${path}`)
      equal((await client.post(`/v1/agents/${id}/cancel-summon`)).status, expected === 400 ? 409 : expected)
    }
  })

  it("reads JSON out of what models put around it, and takes nothing that is no text", () => {
    deepEqual(beingIn(`Here you are:\n\`\`\`json\n${description}\n\`\`\`\nEnjoy!`)?.displayName, "Ida")
    for (const bad of ["", "{}", "no", '{"SOUL.md": 1, "IDENTITY.md": "x"}', '{"SOUL.md": "x"}', "[1]", "null"]) equal(beingIn(bad), null, bad)
  })
})
