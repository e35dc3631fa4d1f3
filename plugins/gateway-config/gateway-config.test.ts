import { deepEqual, equal, match, ok } from "node:assert/strict"
import { defineManifest, definePlugin } from "@plugboard/sdk"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"

/** Says what it is set to. */
const mirror = definePlugin(
  defineManifest({
    id: "mirror",
    version: "1.0.0",
    sdk: "^1.0.0",
    config: Type.Object({ word: Type.String({ default: "plain" }), apiKey: Type.Optional(Type.String({ format: "password" })) }, { additionalProperties: false }),
    rpc: { "mirror.show": { role: "viewer", summary: "What it is set to", result: Type.Object({ word: Type.String(), apiKey: Type.Optional(Type.String()) }) } },
  }),
  (host) => ({ rpc: { "mirror.show": async () => host.config } }),
)

describe("gateway-config", () => {
  let gateway: TestGateway
  let owner: RpcClient
  before(async () => {
    gateway = await testGateway({ plugins: [mirror], config: { plugins: { logs: { maxTails: 7 } } }, env: { PLUGBOARD_LOG_LEVEL: "" } })
    owner = await gateway.as("owner").rpc()
  })
  after(() => gateway.close())

  const enter = async (params: Record<string, unknown>) => {
    const rpc = await openRpc(gateway.url)
    await rpc.call("connect", { token: gateway.token, ...params })
    return rpc
  }
  const failure = async (rpc: RpcClient, method: string, params: Record<string, unknown>) => {
    const { error } = await rpc.request(method, params)
    return [error?.code, error?.message] as const
  }
  const patch = (fragment: object) => owner.call("config.patch", { raw: JSON.stringify(fragment) })
  const value = async (key: string) => (await owner.call("config.get", { key })).value

  it("shows what is in force, with what each plugin is set to", async () => {
    const { config, hash, path } = await owner.call("config.get")
    match(hash, /^[0-9a-f]{64}$/)
    match(path, /plugboard\.config\.json$/)
    deepEqual(config.log, { level: "info" })
    deepEqual(config.gateway, { host: "127.0.0.1", port: 0, rate_limit_rpm: 0, owner_ids: [], allowed_origins: [], drain_seconds: 30 })
    deepEqual(config.plugins, { logs: { maxTails: 7 } })
    deepEqual(await owner.call("config.get", { key: "network.connectTimeoutMs" }), { key: "network.connectTimeoutMs", value: 10_000, hash })
    equal((await owner.request("config.get", { key: "network.nothing" })).error?.code, "NOT_FOUND")
  })

  it("changes the running gateway: origins, budget and log level from the next request on", async () => {
    const {
      ok: done,
      restart,
      config,
    } = await owner.call("config.patch", { raw: "{ gateway: { allowed_origins: ['https://board.example'], rate_limit_rpm: 1 }, /* JSON5 */ log: { level: 'debug' }, }" })
    deepEqual([done, restart, config.gateway.allowed_origins], [true, false, ["https://board.example"]])
    const preflight = await fetch(`${gateway.url}/v1/agents`, {
      method: "OPTIONS",
      headers: { origin: "https://board.example", "access-control-request-method": "GET" },
    })
    equal(preflight.headers.get("access-control-allow-origin"), "https://board.example")
    const chat = () => gateway.as("operator").post("/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] })
    const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await chat()).status))
    deepEqual(statuses.sort(), [200, 200, 200, 200, 200, 429])
    ok(gateway.logs.some((line) => line.includes('"run ended"')))
    await patch({ gateway: { rate_limit_rpm: null }, log: null })
    deepEqual([await value("gateway.rate_limit_rpm"), await value("log.level"), await value("gateway.allowed_origins")], [0, "info", ["https://board.example"]])
    equal((await chat()).status, 200)
  })

  it("sets a plugin anew without a restart, keeps its secret, and never shows it", async () => {
    const first = await patch({ plugins: { mirror: { word: "loud", apiKey: "sk-mirror-secret" } } })
    deepEqual(await owner.call("mirror.show"), { word: "loud", apiKey: "sk-mirror-secret" })
    deepEqual(first.config.plugins.mirror, { word: "loud", apiKey: "***" })
    const { config, hash } = await owner.call("config.get")
    const again = await owner.call("config.apply", { raw: JSON.stringify({ ...config, plugins: { ...config.plugins, mirror: { word: "soft", apiKey: "***" } } }), baseHash: hash })
    deepEqual(await owner.call("mirror.show"), { word: "soft", apiKey: "sk-mirror-secret" })
    const secret = await patch({ plugins: { mirror: { apiKey: "sk-mirror-other" } } })
    ok(secret.hash !== again.hash)
    const log = (await gateway.as("owner").get("/v1/activity?entity_type=config")).body
    equal(JSON.stringify([first, again, secret, log, gateway.logs]).includes("sk-mirror"), false)
    await patch({ plugins: { mirror: { enabled: false } } })
    equal((await owner.request("mirror.show", {})).ok, false)
    await patch({ plugins: { mirror: null } })
    deepEqual(await owner.call("mirror.show"), { word: "plain" })
  })

  it("changes nothing when all of it is not right", async () => {
    const { hash } = await owner.call("config.get")
    for (const [raw, said] of [
      ['{"gateway":{"rate_limit":1}}', /gateway\.rate_limit is unknown; did you mean rate_limit_rpm/],
      ['{"gateway":{"rate_limit_rpm":-1}}', /rate_limit_rpm/],
      ['{"gateway":{"drain_seconds":5},"plugins":{"mirorr":{}}}', /did you mean mirror/],
      ['{"gateway":{"drain_seconds":5},"plugins":{"mirror":{"word":1}}}', /mirror: word must be string/],
      ['{"plugins":{"mirror":{"apiKey":"***"}}}', /apiKey/],
      ["[]", /object/],
      ["{", /JSON5/],
      ['{"log":{"level":"\\u0000"}}', /character/],
      [`{"a":${"[".repeat(90)}${"]".repeat(90)}}`, /levels/],
    ] as const) {
      const [code, text] = await failure(owner, "config.patch", { raw })
      deepEqual([code, said.test(text ?? "")], ["INVALID_REQUEST", true], `${raw}: ${text}`)
    }
    equal((await owner.call("config.get")).hash, hash)
    for (const [method, params] of [
      ["config.apply", {}],
      ["config.patch", {}],
      ["config.patch", { key: "log.level" }],
    ] as const)
      equal((await failure(owner, method, params))[0], "INVALID_REQUEST")
  })

  it("refuses a change that was made on something else", async () => {
    const { hash } = await owner.call("config.get")
    const change = (seconds: number) => owner.request("config.patch", { raw: `{"gateway":{"drain_seconds":${seconds}}}`, baseHash: hash })
    const answers = await Promise.all([change(5), change(6)])
    const refused = answers.filter(({ ok: done }) => !done)
    deepEqual([refused.length, refused[0]?.error?.code], [1, "INVALID_REQUEST"])
    match(refused[0]?.error?.message ?? "", /has changed/)
    equal(await value("gateway.drain_seconds"), answers[0]?.ok ? 5 : 6)
  })

  it("leaves alone what the file or each node has for itself", async () => {
    equal((await failure(owner, "config.patch", { raw: '{"plugins":{"logs":{"maxTails":9}}}' }))[0], "FAILED_PRECONDITION")
    equal((await failure(owner, "config.patch", { raw: '{"network":{"allowPrivateHosts":[]}}' }))[0], "FAILED_PRECONDITION")
    for (const raw of ['{"port":1}', '{"gateway":{"host":"0.0.0.0"}}', '{"database":{"poolSize":99}}', '{"databaseUrl":"postgres://x/y"}']) {
      equal((await failure(owner, "config.patch", { raw }))[0], "FAILED_PRECONDITION", raw)
    }
  })

  it("takes what the command-line client sends: a key and a text, or the document itself", async () => {
    const cli = await enter({ user_id: "cli" })
    await cli.call("config.patch", { key: "gateway.rate_limit_rpm", value: "60" })
    await cli.call("config.patch", { key: "gateway.owner_ids", value: '["system", "olga"]' })
    await cli.call("config.patch", { key: "plugins.mirror.word", value: "77" })
    deepEqual([await value("gateway.rate_limit_rpm"), (await owner.call("mirror.show")).word], [60, "77"])
    const { config } = await cli.call("config.get", {})
    await cli.call("config.apply", { ...config, gateway: { owner_ids: ["system"] } })
    deepEqual([await value("gateway.rate_limit_rpm"), await value("gateway.owner_ids")], [0, ["system"]])
    equal((await cli.call("config.schema")).json.properties.plugins.properties.mirror.properties.word.default, "plain")
    cli.close()
  })

  it("makes owners and unmakes them, on open sockets too", async () => {
    await patch({ gateway: { owner_ids: ["system", "olga"] } })
    const olga = await enter({ user_id: "olga" })
    await olga.call("tenants.list")
    await patch({ gateway: { owner_ids: ["system"] } })
    await olga.closed
    const again = await enter({ user_id: "olga" })
    equal((await again.request("tenants.list", {})).error?.code, "UNAUTHORIZED")
    again.close()
  })

  it("is for owners, and for who comes to the master tenant with the gateway token", async () => {
    const methods = ["config.get", "config.schema", "config.apply", "config.patch", "chat_behavior.preview"]
    const [key, member] = [await (await gateway.as("admin", "master")).rpc(), await (await gateway.as("admin", "acme")).rpc()]
    for (const rpc of [key, member]) for (const method of methods) equal((await failure(rpc, method, { content: "x" }))[0], "UNAUTHORIZED", method)
    equal((await member.request("config.defaults", {})).error?.code, "UNAUTHORIZED")
    const { agents } = await key.call("config.defaults")
    deepEqual([agents.contextPruning.ttl, agents.contextPruning.hardClear.enabled, agents.subagents.maxConcurrent], ["5m", true, 8])
    const token = await enter({ user_id: "somebody" })
    ok((await token.call("config.get")).hash)
    token.close()
  })

  it("tells in the audit log who changed what", async () => {
    await patch({ gateway: { drain_seconds: 12 } })
    const { logs } = (await gateway.as("owner").get("/v1/activity?entity_type=config&limit=1")).body
    deepEqual(
      [logs[0].action, logs[0].entity_id, logs[0].actor_id, logs[0].details.changes],
      ["config.patched", "gateway", "system", { "gateway.drain_seconds": { from: 30, to: 12 } }],
    )
  })

  it("shows what a channel would send of an answer", async () => {
    const preview = (config: object, more: object = {}) =>
      owner.call("chat_behavior.preview", { channel: "telegram", content: "On it. I look.\n\nDone:\n\n```\na\n\nb\n```", isStreaming: false, hasToolCalls: true, config, ...more })
    const whole = { enabled: true, quick_ack: { enabled: true }, final_split: { enabled: true } }
    deepEqual(await preview(whole), { ack: { shouldSend: true, content: "On it.", source: "content" }, split: { parts: ["On it. I look.", "Done:", "```\na\n\nb\n```"] } })
    deepEqual((await preview(whole, { isStreaming: true })).ack, { shouldSend: false, content: "", source: "none" })
    equal((await preview({})).split.parts.length, 1)
  })
})
