import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { defineManifest, definePlugin, type ToolOffer } from "@plugboard/sdk"
import { type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const offers = new Map<string, readonly ToolOffer[]>()
/** Notes which tools each agent is offered in the end, lets an agent hand on more work at each result, and keeps a run from going on. */
const meddling = definePlugin(
  defineManifest({
    id: "meddling",
    version: "1.0.0",
    sdk: "^1.0.0",
    hooks: { "tools.resolving": { phase: "guard" }, "run.requested": { phase: "shape" }, "tool.called": { phase: "trim" } },
  }),
  () => ({
    hooks: {
      "tools.resolving": (value) => {
        offers.set(value.agentKey, value.tools)
        return value
      },
      "run.requested": (value) =>
        value.message.startsWith("[Delegation") && value.sessionKey.endsWith(":rounds") ? { ...value, message: delegate("writer", "/say again", "async") } : value,
      "tool.called": async (value, { signal }) => {
        if (value.call.arguments.task === "/slow 100 100 held") await sleep(1_500, undefined, { signal }).catch(() => undefined)
        return value
      },
    },
  }),
)

/** lead to writer to editor, and back from editor to lead; lead to slow, one at a time; writer to editor is the second step, editor to checker the third. */
const links: [source: string, target: string, more?: object][] = [
  ["lead", "writer", { description: "Writes texts" }],
  ["writer", "editor"],
  ["editor", "lead"],
  ["editor", "checker"],
  ["lead", "slow", { max_concurrent: 1 }],
  ["lead", "retired", { status: "disabled" }],
]

/** A tenant of its own, with these agents, and its admin's socket. */
async function room(gateway: TestGateway, tenant: string): Promise<{ admin: TestClient; rpc: RpcClient }> {
  const admin = await gateway.as("admin", tenant, "anna")
  for (const agent_key of ["lead", "writer", "editor", "checker", "slow", "retired"]) {
    await admin.post("/v1/agents", { agent_key, agent_type: "predefined", display_name: agent_key.toUpperCase(), provider: "", model: "" })
  }
  for (const [source_agent, target_agent, more] of links) {
    const made = await admin.post("/v1/agents/links", { source_agent, target_agent, ...more })
    equal(made.status, 201, JSON.stringify(made.body))
  }
  return { admin, rpc: await admin.rpc() }
}

const delegate = (agent: string, task: string, mode?: string) => `/tool delegate ${JSON.stringify({ agent, task, ...(mode && { mode }) })}`
const newSession = (agent = "lead") => `agent:${agent}:ws:direct:${randomUUID()}`
const send = async (rpc: RpcClient, message: string, sessionKey = newSession()): Promise<string> =>
  (await rpc.call("chat.send", { agentId: sessionKey.split(":")[1], sessionKey, message })).content

describe("delegation", function () {
  this.timeout(30_000)
  let gateway: TestGateway
  let acme: Awaited<ReturnType<typeof room>>
  before(async () => {
    gateway = await testGateway({ plugins: [meddling], config: { plugins: { delegation: { maxDepth: 2, maxRounds: 1 } } } })
    acme = await room(gateway, "acme")
  })
  after(() => gateway.close())

  it("waits for the other agent, whose answer is the tool's result, and records it", async () => {
    const { admin, rpc } = acme
    const sessionKey = newSession()
    match(await send(rpc, delegate("writer", "/say the poem"), sessionKey), /the poem/)
    const { records, total, payload } = (await admin.get("/v1/delegations")).body
    equal(total, 1)
    deepEqual(payload, records)
    const [record] = records
    const { id, created_at, updated_at, completed_at, duration_ms, metadata, source_agent_id, target_agent_id, trace_id, ...facts } = record
    deepEqual(facts, {
      source_agent_key: "lead",
      target_agent_key: "writer",
      user_id: "anna",
      task: "/say the poem",
      mode: "sync",
      status: "completed",
      result: "the poem",
      iterations: 1,
    })
    ok(duration_ms >= 0 && created_at <= updated_at && updated_at === completed_at)
    deepEqual([metadata.depth, metadata.parent_session_key, metadata.session_key, metadata.run_id], [1, sessionKey, `agent:writer:subagent:${id}`, trace_id])
    deepEqual([source_agent_id, target_agent_id], [(await admin.get("/v1/agents/lead")).body.id, (await admin.get("/v1/agents/writer")).body.id])
    deepEqual((await admin.get(`/v1/delegations/${id}`)).body, record)
    const { payload: started } = await rpc.next("agent", ({ type, runId }) => type === "run.started" && runId === metadata.run_id)
    deepEqual(
      [started.runKind, started.delegationId, started.parentAgentId, started.agentId, started.channel, started.sessionKey, started.userId],
      ["delegation", id, "lead", "writer", "subagent", metadata.session_key, "anna"],
    )
    const { payload: ended } = await rpc.next("delegation.completed")
    deepEqual([ended.delegation_id, ended.source_display_name, ended.target_agent_key, ended.mode, ended.channel, ended.status], [id, "LEAD", "writer", "sync", "ws", "completed"])
    const { rows } = await gateway.executeSql("SELECT usage->>'completionTokens' AS tokens FROM sessions.runs WHERE id = $1", [metadata.run_id])
    ok(Number(rows[0]?.tokens) > 0)
    const audit = await gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at, action DESC", [id])
    deepEqual(
      audit.rows.map(({ action }) => action),
      ["delegation.started", "delegation.completed"],
    )
  })

  it("goes on at once when it is not to wait, and tells the result later in the same session", async () => {
    const { rpc } = acme
    const sessionKey = newSession()
    match(await send(rpc, delegate("writer", "/slow 3 100", "async"), sessionKey), /Delegation [0-9a-f-]{36} to writer has begun/)
    const { payload } = await rpc.next("agent", ({ type, runKind }) => type === "run.completed" && runKind === "announce")
    const { records } = await rpc.call("delegations.list", { agentId: "writer" })
    deepEqual([payload.sessionKey, payload.agentId, payload.delegationId, payload.parentAgentId, payload.channel], [sessionKey, "lead", records[0].id, "lead", "ws"])
    deepEqual([records[0].mode, records[0].status, records[0].result], ["async", "completed", "word0 word1 word2"])
    const { messages } = await rpc.call("chat.history", { sessionKey })
    equal(
      messages.filter(({ content, role }: { content: string; role: string }) => role === "user" && content.includes(`[Delegation ${records[0].id} to writer: completed]\n\nword0`))
        .length,
      1,
    )
  })

  it("does not hand on round after round without a word of the user's", async () => {
    const { rpc } = await room(gateway, "rounds")
    const sessionKey = `${newSession()}:rounds`
    await send(rpc, delegate("writer", "/say first", "async"), sessionKey)
    const { payload } = await rpc.next("agent", ({ type, payload }) => type === "tool.result" && payload.is_error)
    match(payload.payload.content, /After 1 results in a row/)
    deepEqual((await rpc.call("delegations.list")).total, 2)
  })

  it("refuses who is not linked, a link that is off, and an empty task, and says who there is", async () => {
    const { rpc } = acme
    const { total } = await rpc.call("delegations.list")
    for (const [agent, task] of [
      ["nobody", "/say x"],
      ["editor", "/say x"],
      ["retired", "/say x"],
      ["lead", "/say x"],
    ] as const)
      match(await send(rpc, delegate(agent, task)), new RegExp(`may not hand work to ${agent}\\. It may to: .*writer`))
    match(await send(rpc, delegate("writer", " ")), /the task is empty/)
    deepEqual((await rpc.call("delegations.list")).total, total)
  })

  it("refuses a circle and too many steps", async () => {
    const { rpc } = acme
    const nested = (...agents: string[]): string => (agents.length === 0 ? "/say deep" : delegate(agents[0] as string, nested(...agents.slice(1))))
    match(await send(rpc, nested("writer", "editor")), /deep/)
    match(await send(rpc, nested("writer", "editor", "lead")), /lead has this work already/)
    match(await send(rpc, nested("writer", "editor", "checker")), /handed on 2 times/)
  })

  it("holds to what a link may have at once", async () => {
    const { rpc } = acme
    await send(rpc, delegate("slow", "/slow 100 100", "async"))
    match(await send(rpc, delegate("slow", "/say now")), /slow works on 1 tasks for this link/)
    const [{ metadata }] = (await rpc.call("delegations.list", { status: "running" })).records
    await rpc.call("chat.abort", { sessionKey: metadata.session_key })
    await rpc.next("delegation.cancelled")
    match(await send(rpc, delegate("slow", "/say now")), /now/)
  })

  for (const mode of ["sync", "async"]) {
    it(`ends with its parent's run when that is aborted: ${mode}`, async () => {
      const { rpc } = await room(gateway, `abort-${mode}`)
      const sessionKey = newSession()
      const answer = rpc.request("chat.send", { agentId: "lead", sessionKey, message: delegate("writer", "/slow 100 100 held", mode) })
      await rpc.next("agent", ({ type, runKind }) => type === "run.started" && runKind === "delegation")
      await rpc.call("chat.abort", { sessionKey })
      await answer
      const { payload } = await rpc.next("delegation.cancelled")
      const child = await rpc.next("agent", ({ delegationId, type }) => delegationId === payload.delegation_id && type === "run.cancelled")
      const { metadata } = await rpc.call("delegations.get", { id: payload.delegation_id })
      deepEqual([child.payload.runId, metadata.parent_session_key], [metadata.run_id, sessionKey])
      const { messages } = await rpc.call("chat.history", { sessionKey })
      equal(JSON.stringify(messages).includes("[Delegation"), false)
    })
  }

  it("is ended when it takes too long, and the agent is told", async () => {
    const hasty = await testGateway({ config: { plugins: { delegation: { timeoutSeconds: 1 } } } })
    const { rpc } = await room(hasty, "late")
    match(await send(rpc, delegate("writer", "/slow 100 100")), /writer has not done it: It took longer than 1 s/)
    const [record] = (await rpc.call("delegations.list")).records
    deepEqual([record.status, record.error], ["failed", "It took longer than 1 s, and was ended."])
    while ((await rpc.call("chat.session.status", { sessionKey: record.metadata.session_key })).isRunning) await sleep(20)
    await hasty.close()
  })

  it("tells the agent why it failed", async () => {
    const { rpc } = acme
    match(await send(rpc, delegate("writer", "/fail auth")), /writer has not done it: /)
    equal((await rpc.next("delegation.failed")).payload.status, "failed")
  })

  it("is offered to agents with links alone, naming whom they may ask", async () => {
    const { rpc } = acme
    await send(rpc, "/say x", newSession("lead"))
    await send(rpc, "/say x", newSession("checker"))
    const offer = offers.get("lead")?.find(({ name }) => name === "delegate")
    match(offer?.description ?? "", /- writer: Writes texts/)
    deepEqual(JSON.parse(JSON.stringify(offer?.parameters)).properties.agent.enum.sort(), ["slow", "writer"])
    equal(
      offers.get("checker")?.some(({ name }) => name === "delegate"),
      false,
    )
  })

  it("works for a user who may not use the other agent by himself, and shows its record to him and to admins alone", async () => {
    const { admin } = await room(gateway, "who")
    await admin.post("/v1/agents/links", { source_agent: "default", target_agent: "writer" })
    const bob = await gateway.as("operator", "who", "bob")
    const rpc = await bob.rpc()
    equal((await rpc.request("chat.send", { agentId: "writer", message: "/say x" })).error?.code, "NOT_FOUND")
    match(await send(rpc, delegate("writer", "/say for bob"), newSession("default")), /for bob/)
    const [record] = (await bob.get("/v1/delegations?user_id=anna")).body.records
    equal(record.result, "for bob")
    const [carol, stranger] = [await gateway.as("operator", "who", "carol"), await gateway.as("admin", "elsewhere", "eve")]
    for (const client of [carol, stranger]) {
      const { records, total } = (await client.get("/v1/delegations?user_id=bob&agent_id=writer")).body
      deepEqual([records, total], [[], 0])
      equal((await client.get(`/v1/delegations/${record.id}`)).status, 404)
      equal((await (await client.rpc()).request("delegations.get", { id: record.id })).error?.code, "NOT_FOUND")
    }
    equal((await admin.get(`/v1/delegations?user_id=bob&source_agent_id=default&target_agent_id=${record.target_agent_id}&status=completed`)).body.total, 1)
    equal((await admin.get("/v1/delegations?target_agent_id=lead")).body.total, 0)
    equal((await admin.get("/v1/delegations/nonsense")).status, 400)
  })

  it("goes with its agents", async () => {
    const { admin, rpc } = acme
    await send(rpc, delegate("writer", "/say x"))
    await admin.delete("/v1/agents/writer")
    equal((await admin.get("/v1/delegations?agent_id=writer")).body.total, 0)
  })
})
