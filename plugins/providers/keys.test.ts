import { deepEqual, equal, ok } from "node:assert/strict"
import { type RoutingRoom, routingRoom, sayWords, tried } from "../../test/routing-room.ts"
import type { Upstream } from "../../test/upstream/openai.ts"

const one = "sk-one-0123456789"
const two = "sk-two-0123456789"

describe("several keys of a provider", () => {
  let room: RoutingRoom
  let upstream: Upstream
  before(async () => {
    room = await routingRoom()
    upstream = await room.provider("main", { api_key: ` ${one}, ${two},${one}` })
    await room.agent("main", { provider: "main", model: "m" })
  })
  after(() => room.close())
  beforeEach(() => {
    upstream.requests.length = 0
  })

  const keys = () => upstream.requests.map(({ headers }) => headers.authorization?.slice(7))
  const admin = () => room.gateway.as("admin")

  it("take turns", async () => {
    upstream.script((_, reply) => sayWords(reply, 1))
    for (let call = 0; call < 4; call += 1) await room.ask("turns", "main")
    const [first, second] = keys()
    deepEqual([...new Set([first, second])].sort(), [one, two])
    deepEqual(keys(), [first, second, first, second])
  })

  it("go on with the next one at once when a limit is reached, and leave that one alone for as long as it says", async () => {
    upstream.script(({ headers }, reply) => {
      if (headers.authorization === `Bearer ${one}`) reply.json(429, '{"error":{"message":"Slow down."}}', { "retry-after": "30" })
      else sayWords(reply, 1)
    })
    for (let call = 0; call < 4; call += 1) equal((await room.ask("limited", "main")).text, "word0")
    deepEqual(keys().filter((key) => key === one).length, 1)
    deepEqual(tried(await room.ended("limited")), ["main/m"])
  })

  it("go on with the next one when one is refused, and with one attempt for each", async () => {
    await admin().put("/v1/providers/main", { settings: { routing: { keys: "in_order", max_attempts: 1 } } })
    upstream.script(({ headers }, reply) => {
      if (headers.authorization === `Bearer ${one}`) reply.json(401, '{"error":{"message":"Incorrect API key."}}')
      else sayWords(reply, 1)
    })
    equal((await room.ask("refused", "main")).text, "word0")
    deepEqual(tried(await room.ended("refused")), ["main/m provider_auth", "main/m"])
    upstream.script((_, reply) => reply.json(401, '{"error":{"message":"Incorrect API key."}}'))
    upstream.requests.length = 0
    await admin().put("/v1/providers/main", { display_name: "Known anew" })
    equal((await room.ask("all-refused", "main")).error?.status, 502)
    deepEqual(keys(), [one, two])
  })

  it("are asked from the first on when the settings say so", async () => {
    await admin().put("/v1/providers/main", { settings: { routing: { keys: "in_order" } } })
    upstream.script((_, reply) => sayWords(reply, 1))
    for (let call = 0; call < 3; call += 1) await room.ask("ordered", "main")
    deepEqual(keys(), [one, one, one])
  })

  it("are sealed each by itself, shown as one, and verified all", async () => {
    upstream.script(undefined)
    const { body } = await admin().get("/v1/providers/main")
    equal(body.api_key, "***")
    const [stored] = (await room.gateway.executeSql("SELECT api_key FROM providers.providers WHERE name = 'main'")).rows
    equal(String(stored?.api_key).split(" ").length, 2)
    deepEqual((await admin().post("/v1/providers/main/verify", {})).body, { valid: true })
    deepEqual(keys(), [one, two])
    equal((await admin().put("/v1/providers/main", { api_key: `${one},bad key` })).status, 400)
    ok(room.gateway.logs.every((line) => !line.includes(one) && !line.includes(two)))
  })
})
