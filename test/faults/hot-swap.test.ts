import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { packed } from "./packed.ts"

/** A plugin whose version can be seen in every answer, with a tap in the stream and a route that takes its time. */
function version(number: string, index = fine): Promise<Buffer> {
  const manifest = {
    id: "stamp",
    version: number,
    sdk: "^1.0.0",
    routes: { slow: { method: "GET", path: "/v1/x/stamp/slow", role: "viewer", summary: "Answer late", reply: { type: "object" } } },
    hooks: { "prompt.assembling": { phase: "recall", failure: "closed" }, "llm.stream": { phase: "shape", failure: "closed" } },
  }
  return packed(manifest, index.replaceAll("MANIFEST", JSON.stringify(manifest)).replaceAll("VERSION", number))
}

const fine = `import { definePlugin } from "@plugboard/sdk"
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
async function* stamped(stream) {
  let told = false
  for await (const batch of stream) {
    yield batch
    if (!told && batch.some((delta) => delta.type === "text")) { told = true; yield [{ type: "text", text: "[VERSION]" }] }
  }
}
export default definePlugin(MANIFEST, () => ({
  routes: { slow: async () => { await sleep(1_500); return { version: "VERSION" } } },
  hooks: { "prompt.assembling": (value) => value, "llm.stream": stamped },
}))`

/** As a version goes wrong that its author did not try. */
const broken = `throw new Error("a module that is not there")`

describe("an upgrade under load", function underLoad() {
  this.timeout(180_000)
  let gateway: TestGateway
  let owner: TestClient
  before(async () => {
    gateway = await testGateway()
    owner = await gateway.as("owner")
    await add(await version("1.0.0"))
    const granted = await owner.post("/v1/plugins/stamp/grant", {})
    equal(granted.status, 200, JSON.stringify(granted.body))
    await running("1.0.0")
  })
  after(() => gateway.close())

  async function add(tarball: Buffer): Promise<{ status: number; text: string }> {
    const response = await owner.fetch("/v1/plugins", { method: "POST", headers: { "content-type": "application/gzip" }, body: new Uint8Array(tarball) })
    return { status: response.status, text: await response.text() }
  }

  const shown = async () => (await owner.get("/v1/plugins/stamp")).body

  async function running(wanted: string): Promise<void> {
    for (let left = 200; left > 0; left--) {
      const { version: now, state } = await shown()
      if (now === wanted && state === "active") return
      await sleep(50)
    }
    throw new Error(`${wanted} does not run: ${JSON.stringify(await shown())}`)
  }

  /** One streamed chat, as text. */
  async function chat(number: number): Promise<string> {
    const response = await owner.fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "agent:default", stream: true, user: `swap-${number}`, messages: [{ role: "user", content: "/slow 12 40" }] }),
    })
    equal(response.status, 200)
    const lines = (await response.text()).split("\n").filter((line) => line.startsWith("data: ") && line !== "data: [DONE]")
    return lines.map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta?.content ?? "").join("")
  }

  it("loses no chat of 200 and answers none twice, whichever version answers, through five upgrades of which one is broken", async () => {
    const chats: Promise<string>[] = []
    let number = 0
    let upgrading = true
    const load = (async () => {
      while (number < 200 || upgrading) {
        if (number < 200) chats.push(chat(number++))
        await sleep(40)
      }
    })()
    const upgrades = (async () => {
      for (const [next, index] of [["1.1.0"], ["1.2.0"], ["1.3.0", broken], ["1.4.0"], ["1.5.0"]] as const) {
        await sleep(500)
        const { status, text } = await add(await version(next, index))
        if (index === undefined) {
          equal(status, 201, text)
          await running(next)
        } else {
          for (let left = 100; left > 0 && (await shown()).pending === undefined; left--) await sleep(50)
          const { version: kept, state, pending } = await shown()
          deepEqual([kept, state, pending?.version], ["1.2.0", "active", next])
          match(pending.reason, /a module that is not there/)
        }
      }
      upgrading = false
    })()
    await upgrades
    await load
    const answers = await Promise.all(chats)
    equal(answers.length, 200)
    for (const answer of answers) {
      equal(answer.match(/\[\d\.\d\.\d\]/g)?.length, 1, answer)
      equal(answer.replace(/\[[\d.]+\]/, "").split(" ").length, 12, answer)
    }
    const versions = new Set(answers.map((answer) => answer.match(/\[([\d.]+)\]/)?.[1]))
    ok(versions.size > 2, `${[...versions]}`)
    ok(!versions.has("1.3.0"))
  })

  it("lets a call that has begun end on the version that it began with", async () => {
    await running("1.5.0")
    const slow = owner.get("/v1/x/stamp/slow")
    await sleep(300)
    equal((await add(await version("1.6.0"))).status, 201)
    await running("1.6.0")
    deepEqual((await slow).body, { version: "1.5.0" })
    deepEqual((await owner.get("/v1/x/stamp/slow")).body, { version: "1.6.0" })
  })

  it("goes back to the version before, and off and on again, without a restart", async () => {
    equal((await owner.post("/v1/plugins/stamp/rollback", {})).status, 200)
    await running("1.5.0")
    equal((await owner.post("/v1/plugins/stamp/disable", {})).status, 200)
    equal((await owner.get("/v1/x/stamp/slow")).status, 404)
    equal((await owner.post("/v1/plugins/stamp/enable", {})).status, 200)
    await running("1.5.0")
    equal((await owner.get("/v1/x/stamp/slow")).status, 200)
  })
})
