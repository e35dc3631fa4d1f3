import { deepEqual, equal, match, ok } from "node:assert/strict"
import { defineManifest, definePlugin, logLevels } from "@plugboard/sdk"
import { type EventFrame, openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"

/** Writes to the log what it is told to. */
const talker = definePlugin(
  defineManifest({
    id: "talker",
    version: "1.0.0",
    sdk: "^1.0.0",
    capabilities: { secrets: ["box"] },
    rpc: {
      "talker.say": {
        role: "viewer",
        summary: "Write to the log",
        params: Type.Object({
          level: Type.Enum([...logLevels]),
          text: Type.String(),
          fields: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          times: Type.Optional(Type.Integer()),
        }),
        result: Type.Object({}),
      },
      "talker.open": { role: "viewer", summary: "Open a secret", params: Type.Object({ clear: Type.String() }), result: Type.Object({}) },
    },
  }),
  (host) => ({
    rpc: {
      "talker.say": async ({ level, text, fields = {}, times = 1 }) => {
        for (let at = 0; at < times; at += 1) host.log[level](fields, text)
        return {}
      },
      "talker.open": async ({ clear }, { caller }) => {
        await host.secrets.open(caller, "box", await host.secrets.seal(caller, "box", clear))
        return {}
      },
    },
  }),
)

describe("logs", () => {
  let gateway: TestGateway
  let owner: RpcClient
  before(async () => {
    gateway = await testGateway({ plugins: [talker], config: { plugins: { logs: { linesPerSecond: 200 } } } })
    owner = await gateway.as("owner").rpc()
  })
  after(() => gateway.close())

  const say = (text: string, fields = {}, level = "info", times = 1) => owner.call("talker.say", { level, text, fields, times })
  const told = (rpc: RpcClient, text: string) => rpc.next("log", ({ message }) => message === text)
  const messages = (rpc: RpcClient) => rpc.events.flatMap(({ event, payload }: EventFrame) => (event === "log" ? [payload.message as string] : []))
  async function tail(rpc: RpcClient, params = {}) {
    await rpc.call("logs.tail", params)
    await told(rpc, "Log tailing started")
    return rpc
  }

  it("begins with what was written last, says that it follows, then follows", async () => {
    await say("before", { run: "r1", count: 7 })
    const rpc = await gateway.as("admin").rpc()
    deepEqual(await rpc.call("logs.tail", {}), { status: "tailing", level: "info" })
    await told(rpc, "Log tailing started")
    await say("after")
    const { payload } = await told(rpc, "after")
    ok(Math.abs(payload.timestamp - Date.now()) < 60_000)
    deepEqual([payload.level, payload.source, payload.time], ["info", "talker", new Date(payload.timestamp).toISOString()])
    deepEqual((await told(rpc, "before")).payload.attrs, { run: "r1", count: "7" })
    const order = messages(rpc)
    deepEqual([...order.slice(-3)], ["before", "Log tailing started", "after"])
    deepEqual(messages(owner), [])
    rpc.close()
  })

  it("shows debug lines to who asks for them, and keeps them out of the gateway's own log", async () => {
    const rpc = await tail(await gateway.as("admin").rpc(), { action: "start", level: "debug" })
    await say("whisper", {}, "debug")
    await told(rpc, "whisper")
    deepEqual(await rpc.call("logs.tail", { level: "error" }), { status: "tailing", level: "error" })
    await say("hardly", {}, "warn")
    await say("shout", {}, "error")
    await told(rpc, "shout")
    equal(messages(rpc).includes("hardly"), false)
    equal(
      gateway.logs.some((line) => line.includes("whisper")),
      false,
    )
    rpc.close()
  })

  it("shows an admin what is about its own tenant, and nothing of others or of the whole gateway", async () => {
    const [acme, globex] = [await gateway.tenant("acme"), await gateway.tenant("globex")]
    const rpc = await tail(await gateway.as("admin", "acme").rpc())
    await say("of the gateway")
    await say("of globex", { tenant: globex })
    await say("of acme", { tenant: acme })
    deepEqual((await told(rpc, "of acme")).payload.attrs, { tenant: acme })
    deepEqual(messages(rpc), ["Log tailing started", "of acme"])
    rpc.close()
  })

  it("shows lines about one agent alone", async () => {
    const admin = await gateway.as("admin", "agents")
    const { id } = (await admin.post("/v1/agents", { agent_key: "watched" })).body
    const rpc = await tail(await admin.rpc(), { agent_id: id })
    for (const agent of ["other", "watched"]) await say(`of ${agent}`, { tenant: admin.tenantId, agent })
    await told(rpc, "of watched")
    deepEqual(messages(rpc), ["Log tailing started", "of watched"])
    rpc.close()
  })

  it("masks secrets by their value, and by their name", async () => {
    const canary = "sk-canary-0123456789abcdef"
    await owner.call("talker.open", { clear: canary })
    const rpc = await tail(await gateway.as("admin").rpc())
    await say(`upstream https://x/?key=${canary} failed`, {
      url: `https://x/?k=${canary}`,
      bot_token: "named-like-one",
      deep: { password: "below", plain: [canary] },
      agentKey: "default",
    })
    const { payload } = await rpc.next("log", ({ message }) => message.startsWith("upstream"))
    deepEqual(payload.attrs, { url: "https://x/?k=***", bot_token: "***", deep: '{"password":"***","plain":["***"]}', agentKey: "default" })
    equal(JSON.stringify(rpc.events).includes(canary), false)
    rpc.close()
  })

  it("leaves out the oldest when there are too many, and says how many", async () => {
    const rpc = await tail(await gateway.as("admin").rpc())
    await say("flood", {}, "info", 2_000)
    await say("behind the flood")
    await told(rpc, "behind the flood")
    const left = rpc.events.filter(({ payload }) => payload.message === "Log lines left out").reduce((sum, { payload }) => sum + Number(payload.attrs.count), 0)
    equal(left + messages(rpc).filter((message) => message === "flood").length, 2_000)
    rpc.close()
  })

  it("ends when it is asked to, and when somebody else comes in on the socket", async () => {
    const rpc = await tail(await gateway.as("admin").rpc())
    deepEqual(await rpc.call("logs.tail", { action: "stop" }), { status: "stopped" })
    await say("unheard")
    await tail(rpc, { level: "warn" })
    await rpc.call("connect", { token: (await gateway.as("viewer")).key })
    await say("not for viewers", {}, "error")
    const other = await tail(await gateway.as("admin").rpc())
    await say("heard", {}, "error")
    await told(other, "heard")
    deepEqual(
      messages(rpc).filter((message) => ["unheard", "not for viewers", "heard"].includes(message)),
      [],
    )
    rpc.close()
    other.close()
  })

  it("is for admins, and knows two actions", async () => {
    const operator = await gateway.as("operator").rpc()
    equal((await operator.request("logs.tail", {})).error?.code, "UNAUTHORIZED")
    equal((await owner.request("logs.tail", { action: "pause" })).error?.code, "INVALID_REQUEST")
    const stranger = await openRpc(gateway.url)
    equal((await stranger.request("logs.tail", {})).error?.code, "UNAUTHORIZED")
    stranger.close()
  })

  it("counts the last lines by level and by source, of one's own tenant", async () => {
    const admin = await gateway.as("admin", "counting")
    for (const level of ["warn", "warn", "error"]) await say("counted", { tenant: admin.tenantId }, level)
    const { body } = await admin.get("/v1/logs/runtime/aggregate")
    deepEqual(body, {
      source: "runtime",
      group_by: "level",
      total: 3,
      buckets: [
        { key: "warn", count: 2 },
        { key: "error", count: 1 },
      ],
    })
    const since = new Date(Date.now() - 60_000).toISOString()
    deepEqual((await admin.get(`/v1/logs/runtime/aggregate?group_by=source&level=error&source=talker&from=${since}`)).body.buckets, [{ key: "talker", count: 1 }])
    match(String((await admin.get("/v1/logs/runtime/aggregate?group_by=color")).status), /400/)
  })
})
