import { deepEqual, ok, rejects } from "node:assert/strict"
import type { Delta, LlmRequest, ProviderType } from "@plugboard/sdk"
import { providerConformance, startProviderType, type TestGateway } from "@plugboard/sdk/testing"
import { impatient, upstreamCases } from "../../test/upstream/cases.ts"
import { startKin } from "../../test/upstream/kin.ts"
import type { Upstream } from "../../test/upstream/provider.ts"
import { startServer } from "../../test/upstream/server.ts"

providerConformance({ ...upstreamCases((options) => startKin("ollama", options)), plugin: "bundled", type: "ollama", config: { plugins: { "provider-openai": impatient } } })

describe("provider-ollama", () => {
  let gateway: TestGateway
  let type: ProviderType
  let upstream: Upstream
  before(async () => {
    upstream = await startKin("ollama")
    ;({ gateway, type } = await startProviderType({ plugin: "bundled", type: "ollama" }))
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function take(more: Partial<LlmRequest>, baseUrl = upstream.url): Promise<Delta[]> {
    const deltas: Delta[] = []
    const request = { model: "words-2", messages: [{ role: "user" as const, content: "hello" }], stream: true, ...more }
    for await (const batch of type.chat({ name: "ollama", baseUrl, apiKey: "", settings: {} }, request, AbortSignal.timeout(10_000))) deltas.push(...batch)
    return deltas
  }

  it("works without a key, and adds /v1 to an address without it", async () => {
    const text = (await take({}, upstream.url.replace("/v1", ""))).map((delta) => (delta.type === "text" ? delta.text : "")).join("")
    deepEqual([text, upstream.requests.at(-1)?.headers.authorization, type.keyless], ["word0 word1", undefined, true])
  })

  it("fetches images that are given by address, each once, and sends them as data", async () => {
    const pictures = await startServer(({ path }, reply) =>
      path === "/a.png" ? reply.send(302, "text/plain", "elsewhere", { location: "/b.png" }) : reply.send(200, "image/png", Buffer.from([1, 2, 3])),
    )
    const image = { type: "image" as const, url: `${pictures.origin}/a.png` }
    await take({ messages: [{ role: "user", content: [image, { type: "text", text: "and" }, image] }] })
    const sent = upstream.requests.at(-1)?.body.messages[0].content
    deepEqual([sent[0].image_url.url, sent[2].image_url.url], ["data:image/png;base64,AQID", "data:image/png;base64,AQID"])
    deepEqual(
      pictures.requests.map(({ path }) => path),
      ["/a.png", "/b.png"],
    )
    await pictures.close()
  })

  it("fetches no image from a private address that the operator has not named", async () => {
    const asked = take({ messages: [{ role: "user", content: [{ type: "image", url: "http://169.254.169.254/latest/a.png" }] }] })
    await rejects(asked, (error) => /cannot be read: it is a private address/.test((error as { failure: { params: { reason: string } } }).failure.params.reason))
  })

  it("says which image cannot be had", async () => {
    const nothing = await startServer((_, reply) => reply.send(404, "text/plain", "no"))
    const asked = take({ messages: [{ role: "user", content: [{ type: "image", url: `${nothing.origin}/a.png` }] }] })
    await rejects(asked, (error) => {
      const { failure } = error as { failure: { name: string; params: { reason: string } } }
      ok(failure.params.reason.includes("/a.png cannot be read: status 404"), failure.params.reason)
      return failure.name === "provider-openai.provider_bad_request"
    })
    await nothing.close()
  })
})
