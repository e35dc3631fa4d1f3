import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type EventFrame, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { connectForms, everyCredential } from "../../test/access/credentials.ts"
import { wsClient } from "../../test/ws-client.ts"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`

describe("chat", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())
  const alice = (): Promise<RpcClient> => gateway.as("operator", "acme", "alice").rpc()

  it("is open to every credential that makes an operator, in every spelling of connect", async () => {
    for (const credential of await everyCredential(gateway, "acme")) {
      for (const params of connectForms(credential)) {
        const client = await wsClient(gateway.url)
        const greeting = await client.request("connect", params)
        deepEqual([greeting.ok, greeting.payload.role, greeting.payload.protocol], [true, credential.role, 3], credential.way)
        const said = await client.request("chat.send", { agentId: "default", message: "/say hello" })
        if (credential.role === "viewer") equal(said.error?.code, "UNAUTHORIZED", credential.way)
        else equal(said.payload.content, "hello", credential.way)
        client.close()
      }
    }
  }).timeout(60_000)

  it("is closed to a wrong token, and to none", async () => {
    for (const shown of [{ token: "goclaw_wrong", user_id: "alice" }, { user_id: "alice" }]) {
      const client = await wsClient(gateway.url)
      const { ok: entered, payload } = await client.request("connect", shown)
      equal(entered && payload.role !== undefined, false)
      equal((await client.request("chat.send", { message: "/say hello" })).error?.code, "UNAUTHORIZED")
      client.close()
    }
  })

  it("needs no token where the gateway has none", async () => {
    const open = await testGateway({ token: null })
    for (const [user_id, role] of [
      ["system", "owner"],
      ["alice", "admin"],
    ]) {
      const client = await wsClient(open.url)
      equal((await client.request("connect", { user_id })).payload.role, role)
      equal((await client.request("chat.send", { message: "/say hello" })).payload.content, "hello")
      client.close()
    }
    await open.close()
  })

  it("tells a run with a tool call in the contract's order, and answers behind its end", async () => {
    const client = await wsClient(gateway.url)
    const { key } = await gateway.as("operator", "acme", "alice")
    await client.request("connect", { token: key })
    const sessionKey = newKey()
    const message = '/tool datetime {"tz":"Asia/Ho_Chi_Minh"}'
    const answer = await client.request("chat.send", { agentId: "default", sessionKey, message, stream: true })
    const { runId, content, usage } = answer.payload
    const events = client.frames.filter((frame): frame is EventFrame => frame.type === "event" && frame.event === "agent")
    equal(client.frames.indexOf(answer), client.frames.length - 1)
    for (const { payload } of events) {
      const { type: _, payload: __, seq, ...envelope } = payload
      deepEqual(envelope, { agentId: "default", runId, sessionKey, channel: "ws", chatId: "alice", userId: "alice" })
      ok(Number.isInteger(seq))
    }
    const told = events.map(({ payload: { type, payload } }) => ({ type, ...payload }))
    const types = told.map(({ type }) => type)
    deepEqual(
      types.filter((type, at) => type !== "chunk" || types[at - 1] !== "chunk"),
      ["run.started", "activity", "chunk", "block.reply", "activity", "tool.call", "tool.result", "activity", "chunk", "run.completed"],
    )
    const [started, ...rest] = told
    deepEqual(started, { type: "run.started", message })
    deepEqual(
      rest.filter(({ type }) => type === "activity").map(({ phase, tools, iteration }) => [phase, tools, iteration]),
      [
        ["thinking", undefined, 1],
        ["tool_exec", ["datetime"], 1],
        ["thinking", undefined, 2],
      ],
    )
    deepEqual(
      rest.find(({ type }) => type === "block.reply"),
      { type: "block.reply", content: "Let me look.", source: "llm_progress" },
    )
    const call = rest.find(({ type }) => type === "tool.call")
    deepEqual(call, { type: "tool.call", name: "datetime", id: call?.id, arguments: { tz: "Asia/Ho_Chi_Minh" } })
    const result = rest.find(({ type }) => type === "tool.result")
    match(result?.result, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*\(Asia\/Ho_Chi_Minh\)$/)
    deepEqual(result, { type: "tool.result", name: "datetime", id: call?.id, is_error: false, arguments: { tz: "Asia/Ho_Chi_Minh" }, result: result?.result })
    const lastRound = told.slice(types.lastIndexOf("activity"))
    const text = lastRound
      .filter(({ type }) => type === "chunk")
      .map((chunk) => chunk.content)
      .join("")
    const completed = told.at(-1)
    deepEqual([completed?.content, text], [content, content])
    const { prompt_tokens, completion_tokens, total_tokens } = usage
    equal(total_tokens, prompt_tokens + completion_tokens)
    deepEqual(completed?.usage, { prompt_tokens, completion_tokens, total_tokens, cache_creation_tokens: 0, cache_read_tokens: 0 })
    const { messages } = (await client.request("chat.history", { sessionKey })).payload
    deepEqual(
      messages.map(({ role, content }: { role: string; content: string }) => [role, content]),
      [
        ["user", message],
        ["assistant", "Let me look."],
        ["tool", result?.result],
        ["assistant", content],
      ],
    )
    deepEqual(messages[1].tool_calls, [{ id: call?.id, name: "datetime", arguments: { tz: "Asia/Ho_Chi_Minh" } }])
    equal(messages[2].tool_call_id, call?.id)
    client.close()
  })

  it("tells a failing tool as an error, and the run goes on", async () => {
    const client = await alice()
    await client.call("chat.send", { sessionKey: newKey(), message: '/tool datetime {"tz":"Mars/Olympus"}', stream: true })
    const { payload } = (await client.next("agent", ({ type }) => type === "tool.result")).payload
    equal(payload.is_error, true)
    match(payload.content, /Mars\/Olympus/)
    await client.next("agent", ({ type }) => type === "run.completed")
  })

  it("sends the text in one piece without stream", async () => {
    const client = await alice()
    const { runId, content } = await client.call("chat.send", { sessionKey: newKey(), message: "/say one two three" })
    const chunks = client.events.filter(({ payload }) => payload.runId === runId && payload.type === "chunk")
    deepEqual([content, chunks.map(({ payload }) => payload.payload)], ["one two three", [{ content: "one two three" }]])
  })

  it("opens a session of its own where none is named", async () => {
    const client = await alice()
    const { runId } = await client.call("chat.send", { message: "/say hello" })
    const { payload } = await client.next("agent", (event) => event.runId === runId)
    match(payload.sessionKey, /^agent:default:ws:direct:[0-9a-f-]{36}$/)
    equal((await client.call("chat.history", { sessionKey: payload.sessionKey })).messages.length, 2)
  })

  it("keeps silent when the whole answer is NO_REPLY", async () => {
    const client = await alice()
    const sessionKey = newKey()
    const { runId, content } = await client.call("chat.send", { sessionKey, message: "/say NO_REPLY", stream: true })
    equal(content, "")
    equal(client.events.filter(({ payload }) => payload.runId === runId && payload.type === "chunk").length, 0)
    deepEqual(
      (await client.call("chat.history", { sessionKey })).messages.map(({ role }: { role: string }) => role),
      ["user"],
    )
  })

  it("says why a run failed, in the client's language, in the event and behind it in the answer", async () => {
    for (const [locale, text] of [
      ["en", /^The loopback provider was asked to refuse its key/],
      ["vi", /loopback/],
    ] as const) {
      const client = await gateway.as("operator", "acme", "alice").rpc({ locale })
      const sessionKey = newKey()
      const { error } = await client.request("chat.send", { sessionKey, message: "/fail auth" })
      equal(error?.code, "INTERNAL")
      match(error?.message ?? "", text)
      const failed = client.events.find(({ payload }) => payload.sessionKey === sessionKey && payload.type === "run.failed")
      deepEqual(failed?.payload.payload, { error: error?.message })
      equal((await client.call("chat.send", { sessionKey, message: "/say on we go" })).content, "on we go")
    }
  })

  it("adds what is injected without a run, under its label", async () => {
    const client = await alice()
    const sessionKey = newKey()
    await client.call("chat.send", { sessionKey, message: "/say hello" })
    const before = client.events.length
    const { ok: done, messageId } = await client.call("chat.inject", { sessionKey, text: "The meeting is at ten.", label: "note" })
    equal(done, true)
    const last = (await client.call("chat.history", { sessionKey })).messages.at(-1)
    deepEqual([last.id, last.role, last.content], [messageId, "assistant", "[note]\n\nThe meeting is at ten."])
    equal(client.events.length, before)
    equal((await client.request("chat.inject", { sessionKey: newKey(), message: "x" })).error?.code, "NOT_FOUND")
  })

  it("has its history after a restart, and goes on from there", async () => {
    const first = await testGateway()
    const sessionKey = newKey()
    const client = await first.as("operator", "acme", "alice").rpc()
    await client.call("chat.send", { sessionKey, message: "/tool datetime", stream: true })
    const { messages } = await client.call("chat.history", { sessionKey })
    equal(messages.length, 4)
    await first.close({ keep: true })
    const second = await testGateway({ on: first.storage, token: first.token })
    const again = await second.as("operator", "acme", "alice").rpc()
    deepEqual((await again.call("chat.history", { sessionKey })).messages, messages)
    equal((await again.call("chat.send", { sessionKey, message: "/say still here" })).content, "still here")
    equal((await again.call("chat.history", { sessionKey })).messages.length, 6)
    await second.close()
  })
})
