import { deepEqual, equal, match, ok } from "node:assert/strict"
import OpenAI from "openai"
import { type RoutingRoom, routingRoom, sayWords } from "../../test/routing-room.ts"
import type { Upstream } from "../../test/upstream/openai.ts"

const messages = [{ role: "user" as const, content: "hello there" }]

// Clients that name PROVIDER/MODEL get the same routing; its chain is that of the provider's settings.
describe("a call in OpenAI's own format", () => {
  let room: RoutingRoom
  let client: OpenAI
  let first: Upstream
  let second: Upstream
  before(async () => {
    room = await routingRoom({ config: { plugins: { providers: { firstTokenMs: 400, breakAfter: 1_000 } } } })
    first = await room.provider("first", { settings: { routing: { fallbacks: [{ provider: "second", model: "words-3" }, { provider: 7 }, null], max_wait_ms: "soon" } } })
    second = await room.provider("second")
    client = await room.openai("client")
  })
  after(() => room.close())
  beforeEach(() => {
    first.requests.length = 0
    second.requests.length = 0
  })

  async function stream(model: string): Promise<string> {
    let text = ""
    for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) text += choices[0]?.delta.content ?? ""
    return text
  }
  const refusedWith = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error as InstanceType<typeof OpenAI.APIError>,
    )

  for (const model of ["status-500", "limited-30", "hang", "status-401"]) {
    it(`is answered in one piece by the next provider: ${model}`, async () => {
      equal(await stream(`first/${model}`), "word0 word1 word2")
      equal(second.requests.at(-1)?.body.model, "words-3")
      const whole = await client.chat.completions.create({ model: `first/${model === "hang" ? "status-503" : model}`, messages })
      equal(whole.choices[0]?.message.content, "word0 word1 word2")
    })
  }

  it("counts what failed with what was answered, and names who answered", async () => {
    const { key } = await room.gateway.as("admin", "master", "counted")
    const counted = new OpenAI({ baseURL: `${room.gateway.url}/v1`, apiKey: key, maxRetries: 0 })
    for await (const _ of await counted.chat.completions.create({ model: "first/hang", messages, stream: true }));
    const sql = "SELECT provider, model, usage FROM passthrough.calls WHERE user_id = 'counted'"
    let rows: Record<string, unknown>[] = []
    while (rows.length === 0) rows = (await room.gateway.executeSql(sql)).rows
    const [{ provider, model, usage }] = rows as [{ provider: string; model: string; usage: { promptTokens: number; completionTokens: number; estimated: boolean } }]
    deepEqual([provider, model, usage.completionTokens, usage.estimated], ["second", "words-3", 3, true])
    // 20 is what the upstream bills for each answer; the one that hung was at work as well.
    ok(usage.promptTokens > 20)
  })

  it("is tried again while the provider says 500", async () => {
    let calls = 0
    first.script((_, reply) => {
      calls += 1
      if (calls < 3) reply.json(500, '{"error":{"message":"Oops."}}')
      else sayWords(reply, 2)
    })
    equal(await stream("first/any"), "word0 word1")
    first.script(undefined)
    equal(second.requests.length, 0)
  })

  it("that is wrong is the client's to mend: it gets the provider's own words, once", async () => {
    const error = await refusedWith(client.chat.completions.create({ model: "first/status-400", messages }))
    deepEqual([error?.status, first.requests.length, second.requests.length], [400, 1, 0])
    match(error?.message ?? "", /the model says 400/)
  })

  it("keeps the provider's own error where nobody else is asked, after as many attempts as there may be", async () => {
    const error = await refusedWith(client.chat.completions.create({ model: "second/limited-ms-5", messages }))
    ok(error instanceof OpenAI.RateLimitError)
    equal(second.requests.length, 3)
  })

  it("ends where its stream is cut, and goes to nobody else then", async () => {
    let text = ""
    const error = await refusedWith(
      (async () => {
        for await (const { choices } of await client.chat.completions.create({ model: "first/cut-after-3", messages, stream: true })) text += choices[0]?.delta.content ?? ""
      })(),
    )
    deepEqual([text, Boolean(error), second.requests.length], ["word0 word1 word2", true, 0])
    deepEqual(
      room.failures.slice(-1).map(({ begun, provider, runId }) => [begun, provider, runId !== ""]),
      [[true, "first", true]],
    )
  })

  it("has vectors of the provider that it names, or none", async () => {
    first.script(undefined)
    await room.gateway.as("admin").put("/v1/providers/first", { api_base: `${first.url}/nowhere` })
    const error = await refusedWith(client.embeddings.create({ model: "first/text-embedding-3-small", input: "hello" }))
    await room.gateway.as("admin").put("/v1/providers/first", { api_base: first.url })
    deepEqual([error instanceof OpenAI.APIError, second.requests.length], [true, 0])
  })
})
