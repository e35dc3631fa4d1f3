import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("pairing", () => {
  let gateway: TestGateway
  let admin: RpcClient
  before(async () => {
    gateway = await testGateway()
    admin = await gateway.as("admin", "master", "anna").rpc()
  })
  afterEach(async () => {
    await gateway.executeSql("DELETE FROM kernel.pairings")
  })
  after(() => gateway.close())

  /** A browser that has asked to be let in. */
  async function stranger(params: Record<string, unknown> = { user_id: "bea", protocolVersion: 3 }) {
    const socket = await openRpc(gateway.url)
    const { pairing_code: code, sender_id: senderId, ...rest } = await socket.call("connect", params)
    return { socket, code, senderId, rest }
  }
  const statusOf = (senderId: string) => fetch(`${gateway.url}/v1/agents`, { headers: { "x-goclaw-sender-id": senderId, "x-goclaw-user-id": "bea" } }).then(({ status }) => status)

  it("gives a socket without a credential a code, and lets it ask for the outcome and nothing else", async () => {
    const { socket, code, senderId, rest } = await stranger()
    match(code, /^[A-HJ-NP-Z2-9]{8}$/)
    match(senderId, /^[0-9a-f]{8}-/)
    deepEqual([rest.protocol, rest.status, rest.server.name, Object.keys(rest).length], [3, "pending_pairing", "goclaw", 3])
    // A socket that names none asks for its own.
    for (const params of [{ sender_id: senderId }, {}]) deepEqual(await socket.call("browser.pairing.status", params), { status: "pending", approved: false })
    for (const method of ["health", "device.pair.approve", "agents.list"]) equal((await socket.request(method, { code })).error?.code, "UNAUTHORIZED", method)
    equal(await statusOf(senderId), 401)
    equal((await socket.request("connect", { token: "wrong", user_id: "bea" })).error?.code, "UNAUTHORIZED")
    socket.close()
  })

  it("lets the browser in as an operator once its code is approved", async () => {
    const { socket, code, senderId } = await stranger()
    deepEqual((await admin.next("device.pair.requested", ({ sender_id }) => sender_id === senderId)).payload, { code, sender_id: senderId, channel: "browser", chat_id: "" })
    const { paired } = await admin.call("device.pair.approve", { code: ` ${code.toLowerCase()} `, approvedBy: "Anna" })
    ok(Math.abs(paired.paired_at - Date.now()) < 60_000)
    deepEqual([paired.sender_id, paired.channel, paired.paired_by], [senderId, "browser", "Anna"])
    const resolved = { action: "approved", sender_id: senderId, channel: "browser" }
    deepEqual((await socket.next("device.pair.resolved")).payload, resolved)
    deepEqual((await admin.next("device.pair.resolved", ({ sender_id }) => sender_id === senderId)).payload, resolved)
    deepEqual(await socket.call("browser.pairing.status", { sender_id: senderId }), { status: "approved", approved: true })
    equal((await socket.request("health")).error?.code, "UNAUTHORIZED")
    deepEqual((await socket.call("connect", { user_id: "bea", sender_id: senderId })).role, "operator")
    await socket.call("health")
    deepEqual(await socket.call("browser.pairing.status"), { status: "approved", approved: true })
    equal(await statusOf(senderId), 200)
    equal((await admin.request("device.pair.approve", { code })).error?.code, "NOT_FOUND")
    socket.close()
  })

  it("ends at once when it is revoked, on open sockets too", async () => {
    const { code, senderId } = await stranger()
    await admin.call("device.pair.approve", { code })
    const socket = await openRpc(gateway.url)
    await socket.call("connect", { user_id: "bea", sender_id: senderId })
    equal(await statusOf(senderId), 200)
    deepEqual(await admin.call("device.pair.revoke", { senderId, channel: "browser" }), { revoked: true })
    await socket.closed
    equal(await statusOf(senderId), 401)
    equal((await admin.request("device.pair.revoke", { senderId, channel: "browser" })).error?.code, "NOT_FOUND")
  })

  it("ends with a denial, and with time", async () => {
    const denied = await stranger()
    deepEqual(await admin.call("device.pair.deny", { code: denied.code }), { denied: true })
    equal((await denied.socket.next("device.pair.resolved")).payload.action, "denied")
    const late = await stranger()
    await gateway.executeSql("UPDATE kernel.pairings SET expires_at = now() - interval '1 s'")
    for (const { socket, senderId } of [denied, late]) deepEqual(await socket.call("browser.pairing.status", { sender_id: senderId }), { status: "expired", approved: false })
    equal((await admin.request("device.pair.approve", { code: late.code })).error?.code, "NOT_FOUND")
    deepEqual(await admin.call("browser.pairing.status"), { status: "expired", approved: false })
  })

  it("lets three wait and turns the fourth away, until one of them is gone", async () => {
    const waiting = await Promise.all([stranger(), stranger(), stranger()])
    const fourth = await openRpc(gateway.url)
    equal((await fourth.request("connect", { user_id: "bea" })).error?.code, "RESOURCE_EXHAUSTED")
    await admin.call("device.pair.deny", { code: waiting[0].code })
    equal((await fourth.call("connect", { user_id: "bea" })).status, "pending_pairing")
  })

  it("pairs senders of a channel, with the same code as long as it waits", async () => {
    const operator = await gateway.as("operator", "senders", "otto").rpc()
    const manager = await gateway.as("admin", "senders", "anna").rpc()
    const wanted = { senderId: "tg:4711@x", channel: "telegram", chatId: "c1" }
    const { code } = await operator.call("device.pair.request", wanted)
    deepEqual(await operator.call("device.pair.request", wanted), { code })
    const [{ created_at, expires_at, ...pending }] = (await manager.call("device.pair.list")).pending
    deepEqual(pending, { code, sender_id: "tg:4711@x", channel: "telegram", chat_id: "c1", account_id: "default" })
    equal(expires_at - created_at, 3_600_000)
    await manager.call("device.pair.approve", { code })
    const { pending: none, paired } = await manager.call("device.pair.list")
    deepEqual([none, paired.length, paired[0].paired_by], [[], 1, "anna"])
    equal((await operator.request("device.pair.request", wanted)).error?.code, "ALREADY_EXISTS")
  })

  it("refuses ids of senders that are none, and of browsers that can be guessed", async () => {
    for (const wrong of [
      {},
      { senderId: "-x", channel: "telegram" },
      { senderId: "x".repeat(129), channel: "telegram" },
      { senderId: "me", channel: "browser" },
      { senderId: "a" },
    ])
      equal((await admin.request("device.pair.request", wrong)).error?.code, "INVALID_REQUEST", JSON.stringify(wrong))
    match((await admin.call("device.pair.request", { senderId: randomUUID(), channel: "browser" })).code, /^.{8}$/)
    for (const wrong of [{}, { id: "browser" }, { senderId: "x" }]) equal((await admin.request("device.pair.revoke", wrong)).error?.code, "INVALID_REQUEST")
  })

  it("is managed by admins, and by keys with the scope for it", async () => {
    const { code } = await stranger()
    const operator = await gateway.as("operator").rpc()
    for (const method of ["approve", "deny", "list", "revoke"]) equal((await operator.request(`device.pair.${method}`, { code })).error?.code, "UNAUTHORIZED", method)
    const { key } = (await gateway.as("owner").post("/v1/api-keys", { name: "pair", scopes: ["operator.pairing"] })).body
    const manager = await openRpc(gateway.url)
    await manager.call("connect", { token: key, user_id: "pia" })
    equal((await manager.call("device.pair.approve", { code })).paired.paired_by, "pia")
    manager.close()
  })

  it("knows no pairing of another tenant", async () => {
    const { code, senderId } = await stranger()
    const other = await gateway.as("admin", "globex").rpc()
    for (const method of ["approve", "deny"]) equal((await other.request(`device.pair.${method}`, { code })).error?.code, "NOT_FOUND")
    await admin.call("device.pair.approve", { code })
    equal((await other.request("device.pair.revoke", { senderId, channel: "browser" })).error?.code, "NOT_FOUND")
    deepEqual(await other.call("device.pair.list"), { pending: [], paired: [] })
    equal((await other.request("device.pair.request", { senderId, channel: "browser" })).error?.code, "ALREADY_EXISTS")
    equal(
      other.events.some(({ event }) => event.startsWith("device.pair")),
      false,
    )
  })

  it("waits in the tenant that the browser names", async () => {
    await gateway.tenant("globex")
    const { code } = await stranger({ user_id: "bea", tenant_hint: "globex" })
    const other = await gateway.as("admin", "globex").rpc()
    const { paired } = await other.call("device.pair.approve", { code })
    const socket = await openRpc(gateway.url)
    equal((await socket.call("connect", { user_id: "bea", sender_id: paired.sender_id })).tenant_slug, "globex")
    socket.close()
  })

  it("slows down who guesses codes", async () => {
    const guesser = await gateway.as("admin", "guesses").rpc()
    const guesses = await Promise.all(Array.from({ length: 20 }, (_, index) => guesser.request("device.pair.approve", { code: `WRONG${index}` })))
    const answers = Object.groupBy(guesses, ({ error }) => error?.code ?? "")
    deepEqual([answers.NOT_FOUND?.length, answers.RESOURCE_EXHAUSTED?.length], [10, 10])
    ok((answers.RESOURCE_EXHAUSTED?.[0]?.error?.retryAfterMs ?? 0) > 500_000)
  })

  it("keeps a record of who let whom in", async () => {
    const { code, senderId } = await stranger()
    await admin.call("device.pair.approve", { code })
    await admin.call("device.pair.revoke", { id: `browser:${senderId}` })
    const { logs } = (await gateway.as("admin", "master", "anna").get("/v1/activity?entity_type=pairing&limit=2")).body
    deepEqual(
      logs.map(({ action, entity_id, actor_id }: Record<string, string>) => [action, entity_id, actor_id]),
      [
        ["pairing.revoked", senderId, "anna"],
        ["pairing.approved", code, "anna"],
      ],
    )
  })

  it("is listed for the command-line client under one id", async () => {
    const [one, two] = [await stranger(), await stranger()]
    await admin.call("device.pair.approve", { code: one.code })
    const cli = await gateway.as("admin").rpc({ profile: "cli" })
    const [{ paired_at, ...paired }, pending] = await cli.call("device.pair.list")
    match(paired_at, /Z$/)
    deepEqual(paired, { id: `browser:${one.senderId}`, device_name: "browser", user_id: one.senderId, status: "paired" })
    deepEqual(pending, { id: `browser:${two.senderId}`, device_name: "browser", user_id: two.senderId, status: "pending", code: two.code })
  })

  it("is not offered where the plugin is off: a socket without a credential is refused", async () => {
    const closed = await testGateway({ config: { plugins: { pairing: { enabled: false } } } })
    try {
      const socket = await openRpc(closed.url)
      equal((await socket.request("connect", { user_id: "bea" })).error?.code, "UNAUTHORIZED")
      socket.close()
    } finally {
      await closed.close()
    }
  })
})
