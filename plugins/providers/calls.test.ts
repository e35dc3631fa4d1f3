import { deepEqual, equal, match } from "node:assert/strict"
import { type Caller, type Delta, defineManifest, definePlugin, failureOf, Providers, type ProvidersService, type Remote } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { startUpstream, type Upstream } from "../../test/upstream/openai.ts"

const apiKey = "sk-canary-0123456789abcdef"
const request = { model: "echo", messages: [{ role: "user" as const, content: "hello there" }], stream: true }

/** A plugin that uses the service as the chat does. */
function userPlugin() {
  let providers: Remote<ProvidersService> | undefined
  const manifest = defineManifest({ id: "provider-user", version: "1.0.0", sdk: "^1.0.0", summary: "Uses providers.", requires: [Providers] })
  const plugin = definePlugin(manifest, (host) => {
    providers = host.use(Providers)
    return {}
  })
  return { plugin, service: () => providers as Remote<ProvidersService> }
}

for (const clone of [false, true]) {
  describe(`the providers service${clone ? ", as from another process" : ""}`, () => {
    let gateway: TestGateway
    let upstream: Upstream
    const user = userPlugin()
    before(async () => {
      upstream = await startUpstream({ key: apiKey })
      gateway = await testGateway({ clone, plugins: [user.plugin] })
    })
    after(async () => {
      await gateway.close()
      await upstream.close()
    })
    const callerOf = async (slug: string): Promise<Caller> => ({
      tenantId: await gateway.tenant(slug),
      tenantSlug: slug,
      userId: "u",
      role: "operator",
      scopes: [],
      locale: "en",
      via: "key",
    })
    const make = (tenant: string, name: string, more: object = {}) =>
      gateway.as("admin", tenant).post("/v1/providers", { name, provider_type: "openai_compat", api_base: upstream.url, api_key: apiKey, ...more })
    async function chat(caller: Caller, provider: string, signal = AbortSignal.timeout(10_000)): Promise<Delta[]> {
      const deltas: Delta[] = []
      for await (const batch of user.service().chat(caller, provider, request, signal)) deltas.push(...batch)
      return deltas
    }
    const nameOf = async (work: Promise<unknown>) => failureOf(await work.catch((error: unknown) => error))?.name

    it("calls a provider by name; a second call touches the database no more", async () => {
      await make("warm", "up")
      const caller = await callerOf("warm")
      await chat(caller, "up")
      let deltas: Delta[] = []
      // Until nothing else of the gateway's own asked the database meanwhile.
      for (let before = -1; before !== gateway.statements.count; ) {
        before = gateway.statements.count
        deltas = await chat(caller, "up")
      }
      equal(deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join(""), "hello there")
    })

    it("sees a change at the next call", async () => {
      await make("change", "up")
      const caller = await callerOf("change")
      await chat(caller, "up")
      await gateway.as("admin", "change").put("/v1/providers/up", { api_key: "sk-wrong-0123456789" })
      equal(await nameOf(chat(caller, "up")), "provider-openai.provider_auth")
      await gateway.as("admin", "change").put("/v1/providers/up", { enabled: false })
      equal(await nameOf(chat(caller, "up")), "providers.provider_disabled")
      equal(await user.service().defaultModel(caller, "up"), null)
    })

    it("keeps tenants apart", async () => {
      await make("one", "only")
      equal(await nameOf(chat(await callerOf("two"), "only")), "providers.unknown_provider")
    })

    it("says which plugin is missing when nobody brings the type any more", async () => {
      const { body } = await make("orphan", "up")
      await gateway.executeSql("UPDATE providers.providers SET provider_type = 'gone_type' WHERE id = $1", [body.id])
      const failure = failureOf(await chat(await callerOf("orphan"), "up").catch((error: unknown) => error))
      deepEqual([failure?.name, failure?.params], ["providers.type_missing", { provider: "up", type: "gone_type" }])
      equal(await user.service().fallback(await callerOf("orphan")), null)
    })

    it("falls back to the oldest provider with a key, else to an offline one", async () => {
      const caller = await callerOf("fallback")
      deepEqual(await user.service().fallback(caller), { provider: "loopback", model: "loopback-1" })
      await make("fallback", "z-first", { settings: { default_model: "own" } })
      await make("fallback", "a-second")
      deepEqual(await user.service().fallback(caller), { provider: "z-first", model: "own" })
      await gateway.as("admin", "fallback").put("/v1/providers/z-first", { enabled: false })
      deepEqual(await user.service().fallback(caller), { provider: "a-second", model: "gpt-4o" })
    })

    it("makes one offline provider, however many ask at once", async () => {
      const caller = await callerOf("rush")
      await Promise.all(Array.from({ length: 10 }, () => user.service().fallback(caller)))
      equal((await gateway.as("viewer", "rush").get("/v1/providers")).body.providers.length, 1)
    })
  })
}

describe("providers of the environment", () => {
  it("are made for the master tenant at the first start, sealed, and never overwritten", async () => {
    const env = { GOCLAW_OPENAI_API_KEY: apiKey }
    const first = await testGateway({ env })
    const { providers } = (await first.as("admin").get("/v1/providers")).body
    deepEqual(
      providers.map(({ name, provider_type, api_key }: Record<string, string>) => [name, provider_type, api_key]),
      [["openai", "openai_compat", "***"]],
    )
    const [stored] = (await first.executeSql("SELECT api_key FROM providers.providers")).rows
    match(String(stored?.api_key), /^v2:/)
    deepEqual(
      (await first.as("viewer", "acme").get("/v1/providers")).body.providers.map(({ name }: { name: string }) => name),
      ["loopback"],
    )
    await first.as("admin").put("/v1/providers/openai", { display_name: "Mine", enabled: false })
    await first.close({ keep: true })
    const second = await testGateway({ env: { GOCLAW_OPENAI_API_KEY: "sk-later-0123456789" }, on: first.storage })
    const again = (await second.as("admin").get("/v1/providers/openai")).body
    deepEqual([again.id, again.display_name, again.enabled], [providers[0].id, "Mine", false])
    equal((await second.executeSql("SELECT api_key FROM providers.providers WHERE id = $1", [again.id])).rows[0]?.api_key, stored?.api_key)
    await second.close()
  })
})
