import { deepEqual, equal, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`
interface Item {
  seq: number
  item_type: string
  status: string
  title: string
  preview: string
  content?: string
  tool_name?: string
  tool_call_id?: string
  metadata: Record<string, unknown>
  created_at: string
}

describe("what is kept of a conversation", () => {
  let gateway: TestGateway
  let alice: RpcClient
  before(async () => {
    gateway = await testGateway()
    alice = await gateway.as("operator", "acme", "alice").rpc()
  })
  after(() => gateway.close())

  const send = (sessionKey: string, message: string) => alice.request("chat.send", { sessionKey, message, stream: true })
  const history = async (sessionKey: string, page: object = {}) =>
    (await alice.call("chat.history", { sessionKey, ...page })) as { messages: { id: string; role: string; content: string }[]; hasMore?: true }
  const labelOf = async (key: string) => (await alice.call("sessions.list", { limit: 200 })).sessions.find((session: { key: string }) => session.key === key).label

  describe("its name", () => {
    it("is the beginning of the first message, told once when the first run has ended, and changed by hand", async () => {
      const key = newKey()
      await send(key, `/say  ${"word ".repeat(40)}`)
      const { payload } = await alice.next("session.updated", ({ sessionKey }) => sessionKey === key)
      equal(payload.label, `/say ${"word ".repeat(14).trim()}`)
      equal(await labelOf(key), payload.label)
      await alice.call("sessions.label", { key, label: "Mine" })
      await send(key, "/say more")
      equal(await labelOf(key), "Mine")
      equal(alice.events.filter(({ event, payload: told }) => event === "session.updated" && told.sessionKey === key).length, 1)
    })
  })

  describe("its messages", () => {
    it("come in pages, the newest first, over the socket and over HTTP", async () => {
      const key = newKey()
      for (const text of ["one", "two", "three"]) await send(key, `/say ${text}`)
      const all = await history(key)
      deepEqual([all.messages.length, all.hasMore], [6, undefined])
      const newest = await history(key, { limit: 4 })
      deepEqual(newest, { messages: all.messages.slice(2), hasMore: true })
      deepEqual(await history(key, { limit: 4, before: newest.messages[0]?.id }), { messages: all.messages.slice(0, 2) })
      const { body } = await gateway.as("viewer", "acme", "alice").post(`/v1/sessions/${encodeURIComponent(key)}/preview?limit=2&before=${all.messages[4]?.id}`)
      deepEqual([body.messages, body.hasMore], [all.messages.slice(2, 4), true])
      for (const before of ["x", randomUUID()]) equal((await alice.request("chat.history", { sessionKey: key, before })).error?.code, "NOT_FOUND")
    })

    // Row R16 of the list of bad days.
    it("are bounded in size, whatever was said", async () => {
      const key = newKey()
      await send(key, "/say hello")
      await gateway.executeSql(
        `INSERT INTO sessions.messages (id, tenant_id, session_id, ordinal, role, content)
         SELECT gen_random_uuid(), tenant_id, id, 10 + n, 'user', repeat(md5(n::text), 15625) FROM sessions.sessions, generate_series(1, 20) n WHERE session_key = $1`,
        [key],
      )
      const { messages, hasMore } = await history(key)
      deepEqual([messages.length, hasMore], [8, true])
      // Pages follow each other without a gap.
      equal((await history(key, { before: messages[0]?.id })).messages.length, 8)
    })
  })

  describe("its branches", () => {
    it("hold what it held up to a message, and go their own way from there", async () => {
      const key = newKey()
      await send(key, "/say one")
      await send(key, "/tool datetime {}")
      await send(key, "/say three")
      const { messages } = await history(key)
      // At a call of a tool: its result comes along.
      const call = messages[3] as { id: string }
      const { ok: done, key: branch, messageCount } = await alice.call("sessions.branch", { session_key: key, messageId: call.id, label: "Another way" })
      deepEqual([done, messageCount, /^agent:default:branch:direct:[0-9a-f-]{36}$/.test(branch)], [true, 5, true])
      const said = (of: { role: string; content: string }[]) => of.map(({ role, content }) => [role, content])
      deepEqual(said((await history(branch)).messages), said(messages.slice(0, 5)))
      await send(branch, "/say elsewhere")
      equal((await history(branch)).messages.length, 7)
      equal((await history(key)).messages.length, messages.length)
      equal(await labelOf(branch), "Another way")
      const { rows } = await gateway.executeSql("SELECT action, details FROM kernel.activity WHERE entity_id = $1", [branch])
      deepEqual(rows, [{ action: "session.branched", details: { branched_from: key, branched_at: call.id } }])
    })

    it("are made over HTTP, of all of it, of one's own alone", async () => {
      const key = newKey()
      await send(key, "/say one")
      const path = `/v1/sessions/${encodeURIComponent(key)}/branch`
      const { status, body } = await gateway.as("operator", "acme", "alice").post(path)
      deepEqual([status, body.messageCount, (await history(body.key)).messages.length], [201, 2, 2])
      equal((await gateway.as("operator", "acme", "mallory").post(path)).status, 403)
      equal((await gateway.as("operator", "globex", "mallory").post(path)).status, 404)
      equal((await gateway.as("viewer", "acme", "alice").post(path)).status, 403)
      equal((await alice.request("sessions.branch", { key, messageId: randomUUID() })).error?.code, "NOT_FOUND")
    })

    it("have the summary when all that it is of is in them", async () => {
      const key = newKey()
      for (const text of ["one", "two"]) await send(key, `/say ${text}`)
      const { messages } = await history(key)
      await gateway.executeSql(
        "UPDATE sessions.sessions SET summary = 'They spoke.', summarized_to = (SELECT ordinal FROM sessions.messages WHERE id = $2) WHERE session_key = $1",
        [key, messages[1]?.id],
      )
      const summaryOf = async (at: number) =>
        (await alice.call("sessions.preview", { key: (await alice.call("sessions.branch", { key, messageId: messages[at]?.id })).key })).summary
      deepEqual([await summaryOf(0), await summaryOf(1), await summaryOf(3)], ["", "They spoke.", "They spoke."])
    })
  })

  describe("its runs", () => {
    it("have a timeline with each call, its result, and the answer, after they have ended", async () => {
      const key = newKey()
      const { payload } = await send(key, "/tool datetime {}")
      const { runId, sessionKey, items, limit, offset } = await alice.call("run.timeline.get", { sessionKey: key })
      deepEqual([runId, sessionKey, limit, offset], [payload.runId, key, 200, 0])
      deepEqual(
        items.map(({ item_type, status, tool_name }: Item) => [item_type, status, tool_name].filter(Boolean).join(" ")),
        [
          "run.status started",
          "assistant.message completed",
          "tool.call completed datetime",
          "tool.result completed datetime",
          "assistant.message completed",
          "run.status completed",
        ],
      )
      const [started, , call, result, answer, ended] = items as Item[]
      equal(started?.preview, "/tool datetime {}")
      deepEqual([call?.preview, call?.tool_call_id], ["{}", result?.tool_call_id])
      equal(answer?.preview, payload.content)
      deepEqual([started?.metadata.event_type, answer?.metadata.model, ended?.metadata.event_type], ["run.started", "loopback-1", "run.completed"])
      deepEqual(
        items.map(({ seq }: Item) => seq),
        [0, 1, 2, 3, 4, 5],
      )
      const second = await alice.call("run.timeline.get", { runId, limit: 2, offset: 1 })
      deepEqual(second.items, items.slice(1, 3))
      const { body } = await gateway.as("viewer", "acme", "alice").get(`/v1/runs/${runId}/timeline?session_key=${encodeURIComponent(key)}&limit=9999`)
      deepEqual([body.run_id, body.session_key, body.items, body.limit], [runId, key, items, 500])
      equal((await gateway.as("viewer", "acme", "alice").get(`/v1/runs/${runId}/timeline?session_key=${encodeURIComponent(newKey())}`)).status, 404)
    })

    it("show what failed, and how", async () => {
      const key = newKey()
      await send(key, "/fail auth")
      const { items } = await alice.call("run.timeline.get", { sessionKey: key })
      const [, attempt, ended] = items as Item[]
      deepEqual([attempt?.item_type, attempt?.status, attempt?.metadata.error], ["activity", "failed", "provider_auth"])
      deepEqual([ended?.status, ended?.preview === ""], ["failed", false])
    })

    it("give the beginning of long texts, and more of them beside", async () => {
      const key = newKey()
      await send(key, `/say ${"x".repeat(30_000)}`)
      const { items } = await alice.call("run.timeline.get", { sessionKey: key })
      const answer = (items as Item[]).find(({ item_type }) => item_type === "assistant.message")
      deepEqual([answer?.preview.length, answer?.content?.length], [2_000, 10_000])
    })

    // Row S13 of the list of bad days.
    it("are as unknown to others as invented ones, and seen by admins and by the session's owner", async () => {
      const key = newKey()
      const { payload } = await send(key, "/say mine")
      const mallory = await gateway.as("operator", "acme", "mallory").rpc()
      const shown = async (runId: string) => JSON.stringify((await mallory.request("run.timeline.get", { runId })).error).replaceAll(runId, "")
      const invented = randomUUID()
      equal(await shown(payload.runId), await shown(invented))
      equal((await mallory.request("run.timeline.get", { sessionKey: key })).error?.code, "UNAUTHORIZED")
      equal((await mallory.request("run.timeline.get", {})).error?.code, "INVALID_REQUEST")
      const root = await gateway.as("admin", "acme", "root").rpc()
      ok((await root.call("run.timeline.get", { runId: payload.runId })).items.length > 2)
      const theirs = await root.call("chat.send", { sessionKey: key, message: "/say for you" })
      ok((await alice.call("run.timeline.get", { runId: theirs.runId })).items.length > 2)
      deepEqual((await root.call("run.timeline.get", { sessionKey: newKey() })).items, [])
    })
  })
})
