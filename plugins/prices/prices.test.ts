import { deepEqual, equal, match, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { costOf, noUsage } from "@plugboard/sdk"
import { type TestClient, testGateway } from "@plugboard/sdk/testing"
import { type ChatRoom, chatRoom } from "../../test/chat-room.ts"
import { PriceTable } from "./table.ts"

const messages = [{ role: "user" as const, content: "hello there" }]

describe("prices", () => {
  let room: ChatRoom
  let admin: TestClient
  before(async () => {
    room = await chatRoom()
    admin = await room.gateway.as("admin")
    for (const [model, input_usd, output_usd] of [
      ["words-10", 2.5, 10],
      ["hang-after-5", 1, 3],
    ])
      equal((await admin.post("/v1/prices", { provider: "upstream", model, input_usd, output_usd })).status, 201)
  })
  after(() => room.close())

  const own = (client: TestClient) => client.get("/v1/prices?own=true")
  const of = async (client: TestClient, provider: string, model: string) => (await client.get(`/v1/prices/of?provider=${provider}&model=${encodeURIComponent(model)}`)).body
  const costs = async (table: string, user: string): Promise<(number | null)[]> => {
    for (;;) {
      const { rows } = await room.gateway.executeSql(`SELECT cost_nano_usd::text AS cost FROM ${table} WHERE user_id = $1 AND status NOT IN ('running', 'queued')`, [user])
      if (rows.length > 0) return rows.map(({ cost }) => (cost === null ? null : Number(cost)))
      await sleep(20)
    }
  }

  it("are made, shown, changed and removed by admins, and audited", async () => {
    const { body: made } = await admin.post("/v1/prices", { model: "house-model", input_usd: 0.0375, output_usd: 2, note: "our contract" })
    deepEqual(
      [made.own, made.provider, made.input_usd, made.cached_input_usd, made.cache_write_usd, made.output_usd, made.reasoning_usd, made.note],
      [true, "", 0.0375, 0.0375, 0.0375, 2, 2, "our contract"],
    )
    equal((await admin.post("/v1/prices", { model: "house-model", input_usd: 1, output_usd: 2 })).status, 409)
    const socket = await admin.rpc()
    const changed = await socket.call("prices.update", { id: made.id, cached_input_usd: 0.01 })
    deepEqual([changed.cached_input_usd, changed.input_usd], [0.01, 0.0375])
    const viewer = await room.gateway.as("viewer")
    deepEqual((await viewer.get(`/v1/prices/${made.id}`)).body, changed)
    equal((await viewer.delete(`/v1/prices/${made.id}`)).status, 403)
    deepEqual(await socket.call("prices.delete", { id: made.id }), { status: "deleted" })
    deepEqual([(await admin.get(`/v1/prices/${made.id}`)).status, (await admin.put("/v1/prices/nothing", {})).status], [404, 404])
    const { rows } = await room.gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [made.id])
    deepEqual(
      rows.map(({ action }) => action),
      ["price.created", "price.updated", "price.deleted"],
    )
  })

  it("of one tenant are none of another's", async () => {
    const other = await room.gateway.as("admin", "globex")
    deepEqual((await own(other)).body.prices, [])
    const [{ id }] = (await own(admin)).body.prices
    deepEqual([(await other.get(`/v1/prices/${id}`)).status, (await other.delete(`/v1/prices/${id}`)).status], [404, 404])
    equal((await of(other, "upstream", "words-10")).by, "nobody")
  })

  it("of the table have a source and a day, and are found with a day behind the name and a maker before it", async () => {
    const { prices, total } = (await admin.get("/v1/prices?provider=openai&model=gpt-4o&limit=3")).body
    deepEqual([prices.length, prices[0].own], [3, false])
    ok(total > 3)
    match(prices[0].source, /^https:\/\/.*openai/)
    match(prices[0].as_of, /^20\d\d-\d\d-\d\d$/)
    for (const name of ["gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o", "gpt-4o-2099-01-01"]) deepEqual((await of(admin, "upstream", name)).price.input_usd, 2.5, name)
    equal((await of(admin, "upstream", "gpt-4o-2024-05-13")).price.input_usd, 5)
    deepEqual(await of(admin, "upstream", "gpt-4o-of-mine"), { by: "nobody", price: null })
  })

  it("are those of the address where a provider listens", () => {
    const table = new PriceTable()
    const input = (address: string, model: string, day = "2026-11-01") => table.find(address, model, day)?.price.input
    equal(input("https://api.anthropic.com", "claude-sonnet-4-5-20250929"), 3_000_000_000)
    for (const name of ["anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5-20250929"]) equal(input("https://openrouter.ai/api/v1", name), 3_000_000_000)
    equal(input("https://api.groq.com/openai/v1", "gpt-4o"), undefined)
    const [before, after] = ["2026-07-29", "2026-07-30"].map((day) => input("https://api.openai.com/v1", "gpt-5.6-luna", day))
    deepEqual([before, after], [1_000_000_000, 200_000_000])
  })

  it("of the tenant go before the table's, from the next look on", async () => {
    equal((await of(admin, "upstream", "o3")).by, "table")
    const { body } = await admin.post("/v1/prices", { model: "o3", input_usd: 7, output_usd: 8 })
    deepEqual([(await of(admin, "upstream", "o3")).price.input_usd, (await of(admin, "upstream", "o3-2025-04-16")).by], [7, "own"])
    await admin.delete(`/v1/prices/${body.id}`)
    equal((await of(admin, "upstream", "o3")).by, "table")
  })

  it("make the cost of a call: exact, part by part, and for a long request its own", () => {
    const rates = { input: 37_500_000, output: 300_000_000, cachedInput: 18_750_000, cacheWrite: 75_000_000, reasoning: 600_000_000 }
    const long = { aboveTokens: 100, ...rates, input: 1_000_000_000 }
    const usage = { ...noUsage, promptTokens: 100, cachedTokens: 30, cacheWriteTokens: 20, completionTokens: 10, reasoningTokens: 4 }
    equal(costOf(rates, usage), Math.round(50 * 37.5 + 30 * 18.75 + 20 * 75 + 6 * 300 + 4 * 600))
    equal(costOf({ ...rates, long }, { ...noUsage, promptTokens: 100 }), 3_750)
    equal(costOf({ ...rates, long }, { ...noUsage, promptTokens: 101 }), 101_000)
    equal(costOf(rates, { ...noUsage, promptTokens: 900_000_000_000 }), 33_750_000_000_000)
  })

  it("are kept with a run and with a call that passes through", async () => {
    await (await room.openai("agent", "words-10")).chat.completions.create({ model: "agent:default", messages })
    await (await room.openai("direct")).chat.completions.create({ model: "upstream/words-10", messages })
    const cost = 20 * 2_500 + 10 * 10_000
    deepEqual([await costs("sessions.runs", "agent"), await costs("passthrough.calls", "direct")], [[cost], [cost]])
  })

  it("count what a client has left in mid-stream", async () => {
    const openai = await room.openai("leaver")
    let words = 0
    for await (const _ of await openai.chat.completions.create({ model: "upstream/hang-after-5", messages, stream: true })) if (++words === 5) break
    deepEqual(await costs("passthrough.calls", "leaver"), [Math.ceil("hello there".length / 4) * 1_000 + 5 * 3_000])
  })

  it("leave a cost open that nobody knows, and are nothing for what runs here", async () => {
    await (await room.openai("unknown")).chat.completions.create({ model: "upstream/words-7", messages })
    deepEqual(await costs("passthrough.calls", "unknown"), [null])
    const local = await room.gateway.as("operator", "local", "local")
    await local.post("/v1/chat/completions", { model: "", messages })
    deepEqual(await costs("sessions.runs", "local"), [0])
  })
})

describe("a run without prices", () => {
  it("ends, and nobody knows what it cost", async () => {
    const gateway = await testGateway({ config: { plugins: { prices: { enabled: false } } } })
    const client = await gateway.as("operator", "plain", "alice")
    equal((await client.post("/v1/chat/completions", { model: "", messages })).status, 200)
    const { rows } = await gateway.executeSql("SELECT status::text, cost_nano_usd FROM sessions.runs")
    await gateway.close()
    deepEqual(rows, [{ status: "completed", cost_nano_usd: null }])
  })
})
