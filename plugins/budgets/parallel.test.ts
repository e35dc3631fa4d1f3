import { deepEqual, equal, ok } from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import OpenAI from "openai"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"
import { chunk, event, usageChunk } from "../../test/upstream/bytes.ts"
import type { Received, Reply } from "../../test/upstream/server.ts"

/** USD for a million tokens, so that a hundred answers cost a dollar. */
const prices = { input_usd: 100, output_usd: 400 }
const words = 20
const wordsOfCut = 7
// The embedded database has one gateway.
const onServer = process.env.TEST_DATABASE_URL !== undefined

// Bad days, R7: what a broken stream cost is counted as the provider bills it.
describe(`a budget of one dollar, and 200 streams at once${onServer ? " on two nodes" : ""}`, () => {
  let room: ChatRoom
  let other: TestGateway | undefined
  const dataDir = mkdtempSync(join(tmpdir(), "plugboard-budgets-"))
  /** The provider's own: tokens of what it was sent and of what it has sent, whoever was there to read it. */
  const bill = { prompt: 0, completion: 0, calls: 0 }
  const billed = () => (bill.prompt * prices.input_usd + bill.completion * prices.output_usd) / 1e6
  let standing: { spent_usd: number; reserved_usd: number; remaining_usd: number }
  const refusals: InstanceType<typeof OpenAI.APIError>[] = []
  let ended = 0

  /** Four letters are a token. `cut`: seven words and then silence, until its client leaves. */
  function serve({ body }: Received, reply: Reply): void {
    const { model, messages } = body as { model: string; messages: { content: string }[] }
    const prompt = Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4)
    const count = model === "cut" ? wordsOfCut : words
    bill.calls += 1
    bill.prompt += prompt
    bill.completion += count
    reply.start(Array.from({ length: count }, (_, at) => event(chunk(model, { content: `w${at % 10}, ` }))))
    if (model === "cut") return
    const usage = { prompt_tokens: prompt, completion_tokens: count, total_tokens: prompt + count }
    reply.start([chunk(model, {}, "stop"), usageChunk(model, usage), "[DONE]"].map(event)).end()
  }

  async function openaiAt(gateway: TestGateway): Promise<OpenAI> {
    const { key } = await gateway.as("operator", "master", "crowd")
    return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 })
  }

  async function ask(openai: OpenAI, at: number): Promise<void> {
    const model = at % 3 === 0 ? "cut" : "whole"
    // An agent's call and one that passes through share the budget.
    const target = at % 2 === 0 ? { model: `upstream/${model}` } : { model: "agent:default" }
    const request = { ...target, messages: [{ role: "user" as const, content: "word ".repeat(16) }], max_tokens: words, stream: true as const }
    try {
      const stream = await openai.chat.completions.create(request, at % 2 === 0 ? {} : { headers: { "x-goclaw-model": model } })
      let said = 0
      for await (const { choices } of stream) {
        said += choices[0]?.delta.content?.match(/w\d/g)?.length ?? 0
        if (said === wordsOfCut && model === "cut") break
      }
      ended += 1
    } catch (error) {
      refusals.push(error as InstanceType<typeof OpenAI.APIError>)
    }
  }

  before(async () => {
    const env = { PLUGBOARD_ENCRYPTION_KEY: randomBytes(32).toString("base64") }
    room = await chatRoom({ env })
    room.upstream.script(serve)
    const admin = await room.gateway.as("admin")
    for (const model of ["whole", "cut"]) await admin.post("/v1/prices", { model, ...prices })
    const { body: budget } = await admin.post("/v1/budgets", { scope: "tenant", period: "month", limit_usd: 1 })
    if (onServer) other = await testGateway({ on: room.gateway.storage, token: room.gateway.token, env: { ...env, PLUGBOARD_DATA_DIR: dataDir } })
    const clients = await Promise.all([room.gateway, other ?? room.gateway].map(openaiAt))
    const openai = clients[0] as OpenAI
    // A third of them are cut off, and half of them go to agents, at either node.
    await Promise.all(Array.from({ length: 200 }, (_, at) => ask(clients[(at >> 1) % 2] as OpenAI, at)))
    await settled()
    // One after the other, until there is nothing left.
    for (let at = 1; refusals.at(-1)?.code !== "insufficient_quota" && at < 200; at += 2) await ask(openai, at)
    await settled()

    async function settled(): Promise<void> {
      for (;;) {
        standing = (await admin.get(`/v1/budgets/${budget.id}`)).body
        if (standing.reserved_usd === 0) return
        await sleep(30)
      }
    }
  })
  after(async () => {
    await other?.close({ keep: true })
    await room.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it("spends it, and no more than one call beyond", () => {
    const dearest = (40 * prices.input_usd + words * prices.output_usd) / 1e6
    ok(standing.spent_usd >= 1 && standing.spent_usd < 1 + dearest, `spent ${standing.spent_usd}`)
    equal(standing.remaining_usd, 0)
  })

  it("is spent to the token as the provider bills it, cut off or whole", () => {
    equal(bill.calls, ended)
    equal(standing.spent_usd.toFixed(9), billed().toFixed(9))
  })

  it("has as much kept with the runs and the calls", async () => {
    for (;;) {
      const { rows } = await room.gateway.executeSql(`
        SELECT count(*)::int AS calls, sum(cost)::text AS cost FROM (
          SELECT cost_nano_usd AS cost FROM sessions.runs WHERE cost_nano_usd > 0 UNION ALL SELECT cost_nano_usd FROM passthrough.calls WHERE cost_nano_usd > 0) c`)
      if (rows[0]?.calls === bill.calls) return equal((Number(rows[0]?.cost) / 1e9).toFixed(9), billed().toFixed(9))
      await sleep(50)
    }
  })

  it("refuses the others in a way that clients understand", () => {
    ok(refusals.length > 50)
    // On a machine that is busy with other things the gateway sends some of such a crowd away by itself, with 503.
    deepEqual(refusals.filter(({ status, headers }) => (status !== 429 && status !== 503) || !(Number(headers?.get("retry-after")) >= 1)).map(String), [])
    const last = refusals.at(-1)
    equal(last?.type, "insufficient_quota")
    ok(/1\.00 USD/.test(last?.message ?? ""), last?.message)
  })
})
