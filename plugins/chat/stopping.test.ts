import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpc, type TestGateway, testGateway } from "@plugboard/sdk/testing"

const newKey = () => `agent:default:ws:direct:${randomUUID()}`

/** A socket of alice's that is still open when the gateway closes; the test gateway's own are not. */
async function connected(gateway: TestGateway) {
  const { key } = await gateway.as("operator", "acme", "alice")
  const client = await openRpc(gateway.url)
  await client.call("connect", { token: key, locale: "en" })
  return client
}

// Row R1 of the list of bad days.
describe("a gateway that stops", () => {
  it("lets runs end, and takes no new ones meanwhile", async () => {
    const gateway = await testGateway()
    const client = await connected(gateway)
    const answer = client.call("chat.send", { sessionKey: newKey(), message: "/slow 20 40", stream: true })
    await client.next("agent", ({ type }) => type === "chunk")
    // The drain has begun when the first message is refused.
    let closing: Promise<void> | undefined
    let refused: { code: string; retryAfterMs?: number } | undefined
    while (!refused) {
      const asked = client.request("chat.send", { sessionKey: newKey(), message: "/say hello" })
      closing ??= gateway.close()
      refused = (await asked).error
    }
    deepEqual([refused.code, refused.retryAfterMs], ["UNAVAILABLE", 2_000])
    equal((await answer).content.split(" ").length, 20)
    await closing
  }).timeout(60_000)

  it("interrupts what does not end in time, also what waits for its turn, and loses no message", async () => {
    const first = await testGateway({ config: { gateway: { drain_seconds: 0 } } })
    const client = await connected(first)
    const sessionKey = newKey()
    const running = client.request("chat.send", { sessionKey, message: "/slow 1000 20", stream: true })
    await client.next("agent", ({ type }) => type === "chunk")
    const waiting = client.request("chat.send", { sessionKey, message: "/say later", media: ["a.png"] })
    while ((await first.executeSql("SELECT 1 FROM sessions.runs WHERE status = 'queued'")).rows.length === 0) await sleep(20)
    await first.close({ keep: true })
    for (const { error } of await Promise.all([running, waiting])) {
      equal(error?.code, "UNAVAILABLE")
      match(error?.message ?? "", /Send the message again/)
    }
    const second = await testGateway({ on: first.storage, token: first.token })
    const again = await second.as("operator", "acme", "alice").rpc()
    const { messages } = await again.call("chat.history", { sessionKey })
    const said = messages.map(({ role, content }: { role: string; content: string }) => `${role}: ${content.slice(0, 5)}`).sort()
    deepEqual(said, ["assistant: word0", "user: /say ", "user: /slow"])
    deepEqual(
      (await second.executeSql("SELECT status FROM sessions.runs")).rows.map(({ status }) => status),
      ["interrupted", "interrupted"],
    )
    equal((await again.call("chat.send", { sessionKey, message: "/say on we go" })).content, "on we go")
    await second.close()
  }).timeout(60_000)
})
