import { deepEqual, equal } from "node:assert/strict"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

// Source: wire contract, websocket 8.3.
describe("today's command-line client", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  /** It says neither its language nor its protocol; the gateway's token is what it has. */
  async function cli(): Promise<RpcClient> {
    return (await gateway.as("owner")).rpc({ user_id: "cli", tenant_id: undefined, locale: undefined })
  }
  const mirrored = (client: RpcClient) => client.events.filter(({ event }) => event !== "agent")

  it("hears of its own runs at top level, streamed without asking, and of nobody else's", async () => {
    const [one, other] = [await cli(), await cli()]
    const { runId, content } = await one.call("chat.send", { message: "/tool datetime", agent_key: "default" })
    const events = mirrored(one).map(({ event, payload }) => [event, payload.runId])
    deepEqual(
      events.map(([event]) => event).filter((event, at, all) => event !== all[at - 1]),
      ["run.started", "chunk", "tool.call", "tool.result", "chunk", "run.completed"],
    )
    equal(
      events.every(([, id]) => id === runId),
      true,
    )
    equal(mirrored(one).at(-1)?.payload.content, content)
    await other.next("agent", ({ type }) => type === "run.completed")
    deepEqual(mirrored(other), [])
  })

  it("goes on in the session that it opened first, as it names none", async () => {
    const client = await cli()
    await client.call("chat.send", { message: "/say one" })
    await client.call("chat.send", { message: "/say two" })
    const keys = new Set(client.events.filter(({ event }) => event === "agent").map(({ payload }) => payload.sessionKey))
    equal(keys.size, 1)
    equal((await client.call("chat.history", { session_key: [...keys][0] })).messages.length, 4)
  })

  it("is told of an end in every case, as it waits for one", async () => {
    const client = await cli()
    const asked = client.request("chat.send", { message: "/slow 1000 20" })
    const { payload } = await client.next("chunk")
    deepEqual(await client.call("chat.send", { message: "/say more" }), { injected: true })
    await client.next("run.completed", ({ runId }) => runId === payload.runId)
    const before = mirrored(client).filter(({ event }) => event === "run.completed").length
    deepEqual(await client.call("chat.abort", {}).then(({ aborted }) => aborted), true)
    deepEqual((await asked).payload, { cancelled: true })
    equal(mirrored(client).filter(({ event }) => event === "run.completed").length, before + 1)
  })
})
