import { deepEqual, equal, ok } from "node:assert/strict"
import { defineManifest, definePlugin, Embedders } from "@plugboard/sdk"
import type { TestClient } from "@plugboard/sdk/testing"
import { type ChatRoom, chatRoom, upstreamKey } from "../../test/chat-room.ts"
import { completion, usageOf } from "../../test/upstream/bytes.ts"

/** Words as places in a vector: near to each other when they share most of them. */
const words = (size: number) => ({
  dimensions: size,
  maxTokens: 1_000,
  async embed(texts: readonly string[]) {
    return texts.map((text) => {
      const vector = new Float32Array(size)
      for (const word of text.toLowerCase().match(/\w+/g) ?? []) vector[[...word].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % size, 7)] = 1
      return vector
    })
  },
})
let embedderId = "words-64"
const embedder = definePlugin(defineManifest({ id: "words", version: "1.0.0", sdk: "^1.0.0", contributes: [Embedders] }), (host) => {
  host.contribute(Embedders, embedderId, words(embedderId === "words-64" ? 64 : 96))
  return {}
})

const question = (content: string, more: object = {}) => ({ model: "upstream/words-3", messages: [{ role: "user", content }], ...more })

describe("the response cache", () => {
  let room: ChatRoom
  before(async () => {
    embedderId = "words-64"
    room = await chatRoom({ plugins: [embedder] })
    await setRule("master", "providers", {})
    await setRule("master", "agents", {})
  })
  after(() => room.close())

  const setRule = async (tenant: string, subject: string, rule: object) => {
    const admin = await room.gateway.as("admin", tenant)
    equal((await admin.put(`/v1/response-cache/rules/${encodeURIComponent(subject)}`, rule)).status, 200)
  }
  const ask = async (who: TestClient, body: object, headers: Record<string, string> = {}, path = "/v1/chat/completions") => {
    const before = room.upstream.requests.length
    const response = await who.fetch(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } })
    const text = await response.text()
    return { status: response.status, cache: response.headers.get("x-cache"), text, asked: room.upstream.requests.length - before }
  }
  const said = (text: string) => [...text.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, json]) => JSON.parse(json as string)).join("")

  for (const stream of [false, true]) {
    it(`gives a provider's answer again, to the byte, ${stream ? "as a stream" : "as JSON"}`, async () => {
      const alice = await room.user("alice")
      const asked = question("Hello?", { stream, seed: 4, n: 1 })
      const first = await ask(alice, asked)
      const second = await ask(alice, asked)
      deepEqual([first.cache, first.asked, second.cache, second.asked], ["miss", 1, "hit", 0])
      equal(second.text, first.text)
      equal((await ask(alice, { ...asked, seed: 5 })).cache, "miss")
    })

    it(`gives an agent's answer again, ${stream ? "as a stream" : "as JSON"}`, async () => {
      const alice = await room.user("alice")
      const asked = { ...question(`How are you, ${stream}?`), model: "agent:default", stream }
      const [first, second] = [await ask(alice, asked), await ask(alice, asked)]
      deepEqual([first.cache, first.asked, second.cache, second.asked], ["miss", 1, "hit", 0])
      equal(said(second.text), said(first.text))
      const [hit, miss] = await room.runs("alice")
      const usage = hit?.usage as { promptTokens: number; completionTokens: number; savedTokens?: number }
      deepEqual([usage.promptTokens, usage.completionTokens], [0, 0])
      equal(usage.savedTokens, (miss?.usage?.promptTokens ?? 0) + (miss?.usage?.completionTokens ?? 0))
    })

    it(`gives answers again in Anthropic's format and in that of Responses, ${stream ? "streamed" : "whole"}`, async () => {
      const alice = await room.user("alice")
      for (const [path, asked] of [
        ["/v1/messages", { ...question("Same?"), max_tokens: 9, stream }],
        ["/v1/responses", { model: "upstream/words-3", input: "Same again?", stream }],
        ["/v1/messages", { ...question("Same of an agent?"), model: "agent:default", max_tokens: 9, stream }],
      ] as const) {
        // In these formats a stream and a whole answer are kept as one.
        const first = await ask(alice, asked, stream ? { "cache-control": "no-cache" } : {}, path)
        const second = await ask(alice, asked, {}, path)
        deepEqual([first.cache, first.asked, second.cache, second.asked], ["miss", 1, "hit", 0], path)
        ok(second.text.includes("word2"))
      }
    })
  }

  it("counts a hit as no tokens spent, and as what it saved", async () => {
    const bob = await room.user("bob")
    for (let round = 0; round < 2; round += 1) await ask(bob, question("What does it cost?"))
    for (;;) {
      const { rows } = await room.gateway.executeSql("SELECT usage FROM passthrough.calls WHERE user_id = 'bob' ORDER BY started_at, id")
      if (rows.length < 2) continue
      const [miss, hit] = rows.map(({ usage }) => usage as Record<string, number>)
      deepEqual([miss?.promptTokens, miss?.completionTokens, hit?.promptTokens, hit?.completionTokens, hit?.savedTokens], [20, 3, 0, 0, 23])
      break
    }
    const { body } = await bob.get("/v1/response-cache")
    ok(body.entries > 0 && body.bytes > 0 && body.days === 30)
  })

  // Bad day S14: a response cache keyed without the tenant.
  it("gives nobody the answer of another tenant, user or agent", async () => {
    const [tenant, alice] = [await room.gateway.as("admin", "globex", "alice"), await room.user("alice")]
    await tenant.post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: room.upstream.url, api_key: upstreamKey })
    await setRule("globex", "providers", { semantic: true, threshold: 0.5 })
    await setRule("master", "providers", { semantic: true, threshold: 0.5 })
    const asked = question("Is this answer mine alone?")
    equal((await ask(alice, asked)).cache, "miss")
    equal((await ask(alice, question("is this answer mine, alone?"))).cache, "hit")
    for (const [who, text] of [
      [tenant, "Is this answer mine alone?"],
      [await room.user("mallory"), "Is this answer mine alone?"],
      [await room.user("mallory-2"), "is this answer mine, alone?"],
    ] as const) {
      deepEqual([(await ask(who, question(text))).cache, who.userId], ["miss", who.userId])
    }
    const admin = await room.gateway.as("admin")
    for (const key of ["one", "two"]) equal((await admin.post("/v1/agents", { agent_key: key, display_name: key, provider: "upstream", model: "words-2" })).status, 201)
    for (const key of ["one", "two"]) equal((await ask(admin, { ...question("Which agent?"), model: `agent:${key}` })).cache, "miss")
    equal((await ask(admin, { ...question("Which agent?"), model: "agent:one" })).cache, "hit")
    await setRule("master", "providers", { semantic: false })
  })

  it("is shared by the users of an agent whose rule says so", async () => {
    await setRule("master", "agent:one", { shared: true })
    const asked = { ...question("For all?"), model: "agent:one" }
    equal((await ask(await room.gateway.as("admin", "master", "alice"), asked)).cache, "miss")
    equal((await ask(await room.gateway.as("admin", "master", "carol"), asked)).cache, "hit")
  })

  it("finds a question that means the same only with all else equal, as near as its rule wants, and made by the same embedder", async () => {
    const dora = await room.user("dora")
    await setRule("master", "providers", { semantic: true, threshold: 0.8 })
    const asked = (content: string, more: object = {}) => ask(dora, question(content, more))
    equal((await asked("What is the capital city of France today?")).cache, "miss")
    equal((await asked("what is the capital city of france today")).cache, "hit")
    equal((await asked("what is the capital city of france today", { temperature: 0.3 })).cache, "miss")
    equal((await asked("Who wrote this?")).cache, "miss")
    await room.gateway.executeSql("UPDATE response_cache.entries SET embedder = 'another', dimensions = 3, question = '[1,2,3]' WHERE user_id = 'dora'")
    equal((await asked("What is the capital city of France, today?")).cache, "miss")
    await setRule("master", "providers", { semantic: false })
  })

  it("asks in any case, or keeps nothing, where a client says so", async () => {
    const erin = await room.user("erin")
    const asked = question("Fresh?")
    const seen: unknown[] = []
    for (const control of ["no-store", "", "no-cache", "max-age=60", "max-age=0"]) seen.push((await ask(erin, asked, control ? { "cache-control": control } : {})).cache)
    deepEqual(seen, [null, "miss", "miss", "hit", "miss"])
  })

  it("keeps no failure, no answer that was cut, and no calls of an agent's tools", async () => {
    const fay = await room.user("fay")
    for (const [model, stream] of [
      ["status-500", false],
      ["cut-after-3", true],
      ["length", false],
    ] as const) {
      if (model === "length") room.upstream.script((_, reply) => reply.json(200, completion("m", { content: "cut" }, "length", usageOf(1, 1))))
      for (let round = 0; round < 2; round += 1) ok((await ask(fay, { ...question("Broken?", { stream }), model: `upstream/${model}` })).cache !== "hit", model)
    }
    room.upstream.script(undefined)
    const calls = { ...question("What time is it?"), model: "agent:default" }
    for (let round = 0; round < 2; round += 1) await ask(fay, calls, { "x-goclaw-model": "tool-split" })
    const { rows } = await room.gateway.executeSql("SELECT answer FROM response_cache.entries WHERE user_id = 'fay' AND answer LIKE '%\"tool\"%'")
    deepEqual(rows, [])
  })

  it("does not look for answers without a rule", async () => {
    const gina = await room.gateway.as("admin", "initech", "gina")
    await gina.post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: room.upstream.url, api_key: upstreamKey })
    for (let round = 0; round < 2; round += 1) deepEqual([(await ask(gina, question("Nothing?"))).cache, (await gina.get("/v1/response-cache")).body.entries], [null, 0])
  })

  it("lists entries without their contents, one's own below admin, and forgets them, on the record", async () => {
    const [hugo, admin] = [await room.user("hugo"), await room.gateway.as("admin")]
    await ask(hugo, question("A secret question?"))
    const mine = await hugo.get("/v1/response-cache/entries?user=alice&limit=5")
    deepEqual([mine.body.total, mine.body.entries[0].user_id, mine.body.limit], [1, "hugo", 5])
    ok(!JSON.stringify(mine.body).includes("secret") && !("answer" in mine.body.entries[0]))
    ok((await admin.get("/v1/response-cache/entries")).body.total > 1)
    const before = (await admin.get("/v1/response-cache")).body.entries
    deepEqual((await hugo.delete("/v1/response-cache/entries?user=alice")).body, { ok: true, removed: 1 })
    equal((await admin.get("/v1/response-cache")).body.entries, before - 1)
    const socket = await admin.rpc()
    const { removed } = await socket.call("response_cache.purge", { agent: "one" })
    ok(removed >= 2)
    equal((await ask(await room.gateway.as("admin", "master", "carol"), { ...question("For all?"), model: "agent:one" })).cache, "miss")
    const { body } = await admin.get("/v1/activity?action=response_cache.purged")
    deepEqual(
      body.logs.map(({ actor_id: by }: { actor_id: string }) => by === "hugo"),
      [false, true],
    )
  })

  it("has rules that admins set and remove, over both ways", async () => {
    const [ivan, admin] = [await room.user("ivan"), await room.gateway.as("admin")]
    equal((await ivan.put("/v1/response-cache/rules/agents", {})).status, 403)
    const socket = await admin.rpc()
    const rule = await socket.call("response_cache.rules.set", { subject: "provider:upstream", enabled: false })
    deepEqual([rule.enabled, rule.ttl_seconds, rule.shared, rule.semantic, rule.threshold], [false, 3_600, false, false, 0.95])
    equal((await ask(ivan, question("Off?"))).cache, null)
    ok((await ivan.get("/v1/response-cache/rules")).body.rules.some(({ subject }: { subject: string }) => subject === "provider:upstream"))
    deepEqual((await admin.delete("/v1/response-cache/rules/provider:upstream")).body, { ok: true })
    equal((await admin.delete("/v1/response-cache/rules/provider:upstream")).status, 404)
    equal((await admin.put("/v1/response-cache/rules/everything", {})).status, 400)
    equal((await ask(ivan, question("Off?"))).cache, "miss")
  })

  it("goes with its agent", async () => {
    const admin = await room.gateway.as("admin")
    await ask(admin, { ...question("Which agent is it?"), model: "agent:two" })
    const { body } = await admin.get("/v1/agents/two")
    await admin.delete(`/v1/agents/${body.id}`)
    equal((await admin.get("/v1/response-cache/entries?agent=two")).body.total, 0)
  })
})

describe("the bounds of the response cache", () => {
  it("keep a tenant's entries few, those that were used last; vectors may be a provider's", async () => {
    const room = await chatRoom({ config: { plugins: { "response-cache": { maxEntries: 10, maxAnswerBytes: 1_500, embedder: "upstream/embed" } } } })
    try {
      await (await room.gateway.as("admin")).put("/v1/response-cache/rules/providers", { ttl_seconds: 60 })
      const user = await room.user("hoarder")
      for (let number = 0; number < 14; number += 1) await user.post("/v1/chat/completions", question(`Number ${number}?`))
      const { body } = await user.get("/v1/response-cache")
      ok(body.entries >= 9 && body.entries <= 10, `${body.entries} entries`)
      const again = async (number: number) => (await user.post("/v1/chat/completions", question(`Number ${number}?`))).headers.get("x-cache")
      deepEqual([await again(13), await again(0)], ["hit", "miss"])
      const large = question("Large?", { model: "upstream/words-500", stream: true })
      for (let round = 0; round < 2; round += 1) equal((await user.post("/v1/chat/completions", large)).headers.get("x-cache"), "miss")
      await (await room.gateway.as("admin")).put("/v1/response-cache/rules/providers", { semantic: true, threshold: 0.99 })
      // The upstream's vectors are made of the length.
      const alike = async (text: string) => (await user.post("/v1/chat/completions", question(text))).headers.get("x-cache")
      deepEqual([await alike("What is one?"), await alike("What is two?"), await alike("?")], ["miss", "hit", "miss"])
    } finally {
      await room.close()
    }
  })
})
