import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("waking an agent", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const wake = "/v1/agents/default/wake"

  it("answers a message when its run has ended, and keeps both in a session of the user", async () => {
    const alice = await gateway.as("operator", "acme", "alice")
    const { status, body } = await alice.post(wake, { message: "/say good morning" })
    deepEqual([status, body.content, Object.keys(body).sort()], [200, "good morning", ["content", "run_id", "usage"]])
    deepEqual(Object.keys(body.usage).sort(), ["completion_tokens", "prompt_tokens", "total_tokens"])
    const { sessions } = (await alice.get("/v1/sessions?channel=wake")).body
    match(sessions[0].key, /^agent:default:wake-[0-9a-f]{8}$/)
    equal(sessions[0].userID, "alice")
  })

  it("starts a run aside and answers at once without a message, as today's command-line client asks", async () => {
    const alice = await gateway.as("operator", "acme", "alice")
    for (const given of [undefined, {}]) {
      const { status, body } = await alice.post(wake, given)
      deepEqual([status, { ...body, run_id: "" }], [200, { ok: true, content: "", run_id: "", status: "started" }])
    }
  })

  it("gives a repeated request the first one's run", async () => {
    const alice = await gateway.as("operator", "acme", "alice")
    const idempotent = { "idempotency-key": randomUUID() }
    const first = await alice.post(wake, { message: "/say once" }, idempotent)
    const again = await alice.post(wake, { message: "/say once" }, idempotent)
    deepEqual([again.body.run_id, again.body.content], [first.body.run_id, "once"])
  })

  it("refuses a session of another user, and an agent that is not there or not the caller's to use", async () => {
    const session_key = "agent:default:wake-shared"
    equal((await gateway.as("operator", "acme", "alice").post(wake, { message: "/say mine", session_key })).status, 200)
    equal((await gateway.as("operator", "acme", "bob").post(wake, { message: "/say mine", session_key })).status, 403)
    const nobody = await gateway.as("operator", "acme", "alice").post("/v1/agents/nobody/wake", { message: "hello" })
    deepEqual([nobody.status, nobody.body.code], [404, "NOT_FOUND"])
    equal((await gateway.as("viewer", "acme").post(wake, { message: "hello" })).status, 403)
  })

  it("runs as another user for those who may say so, and not for a key with an owner", async () => {
    const owner = gateway.as("owner", "acme")
    equal((await owner.post(wake, { message: "/say hi", session_key: "agent:default:wake-carol", user_id: "carol" })).status, 200)
    await gateway.as("operator", "acme", "alice").post(wake, { message: "/say hi", session_key: "agent:default:wake-alice", user_id: "carol" })
    const owners = ((await owner.get("/v1/sessions?channel=wake&limit=100")).body.sessions as { key: string; userID: string }[]).filter(({ key }) => /carol|alice/.test(key))
    deepEqual(Object.fromEntries(owners.map(({ key, userID }) => [key, userID])), { "agent:default:wake-carol": "carol", "agent:default:wake-alice": "alice" })
  })

  it("is 429 where the budget is used up, as a chat is", async () => {
    await gateway.as("owner", "acme").post("/v1/budgets", { scope: "user", subject: "dave", period: "day", limit_tokens: 0 })
    const { status, body } = await gateway.as("operator", "acme", "dave").post(wake, { message: "hello" })
    deepEqual([status, body.code], [429, "RESOURCE_EXHAUSTED"])
  })

  it("passes a failure of the provider on, in the common form", async () => {
    const { status, body } = await gateway.as("operator", "acme", "alice").post(wake, { message: "/fail auth" })
    deepEqual([status >= 500, typeof body.error, typeof body.code], [true, "string", "string"])
  })

  it("waits until an agent, or one session of it, is idle", async () => {
    const socket = await gateway.as("operator", "idle", "alice").rpc()
    const sessionKey = "agent:default:ws:direct:at-work"
    deepEqual(await socket.call("agent.wait", { agent_id: "default", timeout: 5 }), { id: "default", status: "idle" })
    const answer = socket.call("chat.send", { sessionKey, message: "/slow 20 50", stream: true })
    await socket.next("agent", ({ type }) => type === "chunk")
    deepEqual(await socket.call("agent.wait", { session_key: sessionKey, timeout: 0 }), { id: "default", status: "running" })
    deepEqual(await socket.call("agent.wait", { agentId: "default", session_key: sessionKey, timeout: 60 }), { id: "default", status: "idle" })
    await Promise.race([answer, sleep(5_000)])
    equal((await socket.request("agent.wait", { agentId: "nobody" })).error?.code, "NOT_FOUND")
  })
})
