import { deepEqual, equal, ok } from "node:assert/strict"
import { type FailureData, failureOf } from "../errors.ts"
import type { PointUsers } from "../host.ts"
import { defineManifest } from "../manifest.ts"
import { definePlugin, type Plugin } from "../plugin.ts"
import { type Delta, type LlmRequest, type ProviderConnection, type ProviderErrorName, type ProviderType, ProviderTypes } from "../points/provider.ts"
import { type TestGateway, testGateway } from "./gateway.ts"
import { faultSuite, type ProviderCase, type ProviderFaults } from "./provider-faults.ts"
import { type GivenPlugin, type Place, placeTitles, startIn, suiteGlobals } from "./suite.ts"

type Call = Omit<LlmRequest, "stream">
export interface ProviderConformanceOptions {
  /** The plugin that contributes the type, as `testGateway` takes it; `bundled`: one that the gateway brings. */
  plugin: GivenPlugin | "bundled"
  type: string
  /** Where the provider of the tests listens. Called before the first test of each place where the suite runs. */
  connection(): ProviderConnection | Promise<ProviderConnection>
  /** A request with an answer of several words, the same every time. */
  request: Call
  /** A request whose answer takes more than five seconds. */
  slow: Partial<Call>
  /** A request, with a tool on offer, that the model answers with a call of it. */
  tool?: Partial<Call>
  /** What makes the provider fail, by the failure that must come of it. */
  failures: Partial<Record<ProviderErrorName, ProviderCase>>
  /** For a provider over HTTP: what it is put through besides. */
  faults?: ProviderFaults
  /** A request with an image in it, which the provider of the tests takes. */
  image?: Partial<Call>
  /** Gateway configuration, such as shorter time limits. */
  config?: Record<string, unknown>
  /** True: also in a process of its own, from the plugin's folder, as an installed plugin runs. */
  sandboxed?: boolean
}

/**
 * What every provider type must hold to, as mocha suites: call it in a test file.
 * Needs the package `plugboard` beside `@plugboard/sdk`, and a provider (or one that a test made up) that answers.
 */
export function providerConformance(options: ProviderConformanceOptions): void {
  const { describe } = suiteGlobals()
  describe(`provider type ${options.type}`, () => {
    for (const place of ["gateway", ...(options.sandboxed ? (["sandbox"] as const) : [])] as const) describe(placeTitles[place], () => providerSuite(options, place))
  })
}

function providerSuite(options: ProviderConformanceOptions, place: Place): void {
  const { it, before, after } = suiteGlobals()
  let gateway: TestGateway
  let type: ProviderType
  let connection: ProviderConnection
  before(async () => {
    connection = await options.connection()
    ;({ gateway, type } = await startProviderType(options, place))
  })
  after(async () => gateway?.close())

  const chat = (request: LlmRequest, signal = AbortSignal.timeout(30_000), to = connection) => type.chat(to, request, signal)
  const asked = (more: Partial<Call> = {}, stream = true): LlmRequest => ({ ...options.request, ...more, stream })

  it("says where it listens, with which model, and whether it needs a key", () => {
    deepEqual(
      [typeof type.defaultBaseUrl, typeof type.defaultModel, typeof type.keyless, type.environment.every((name) => /^[A-Z][A-Z0-9_]*$/.test(name))],
      ["string", "string", "boolean", true],
    )
    ok(type.defaultBaseUrl === "" || /^https?:\/\/.*[^/]$/.test(type.defaultBaseUrl), "an address without a slash at its end, or none")
  })

  it("streams text in well-formed deltas, and ends with one finish", async () => {
    const deltas = await collect(chat(asked()))
    for (const delta of deltas) checkDelta(delta)
    ok(textOf(deltas).length > 0, "it said nothing")
    equal(deltas.filter((delta) => delta.type === "finish").length, 1)
  })

  it("says the same whether it streams or not", async () => {
    const [streamed, whole] = [await collect(chat(asked())), await collect(chat(asked({}, false)))]
    for (const delta of whole) checkDelta(delta)
    equal(textOf(whole), textOf(streamed))
    deepEqual(usageOf(whole), usageOf(streamed))
  })

  it("keeps calls apart that run at once", async () => {
    const alone = textOf(await collect(chat(asked())))
    const all = await Promise.all(Array.from({ length: 10 }, () => collect(chat(asked()))))
    deepEqual(
      all.map(textOf),
      all.map(() => alone),
    )
  })

  it("ends within a second when it is aborted, before or in the answer", async () => {
    for (const afterMs of [0, 300]) {
      const abort = new AbortController()
      setTimeout(() => abort.abort(), afterMs)
      const began = performance.now()
      const error = await collect(chat(asked(options.slow), abort.signal)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      ok(error !== undefined, "it went on to the end")
      equal(failureOf(error), undefined, "an abort is not a failure of the provider")
      ok(performance.now() - began < afterMs + 1_000, `${Math.round(performance.now() - began)} ms`)
    }
  })

  it("asks nobody when it is aborted already", async () => {
    const error = await collect(chat(asked(), AbortSignal.abort())).catch((thrown: unknown) => thrown)
    equal((error as Error).name, "AbortError")
  })

  it("can be left in mid-answer", async () => {
    for await (const _ of chat(asked(options.slow))) break
  })

  it("lists models by different ids", async () => {
    const ids = (await type.models(connection, AbortSignal.timeout(15_000))).map(({ id }) => id)
    equal(new Set(ids).size, ids.length)
    ok(ids.every((id) => id !== ""))
  })

  it("verifies itself, and a model", async () => {
    await type.verify(connection, undefined, AbortSignal.timeout(30_000))
    await type.verify(connection, options.request.model, AbortSignal.timeout(30_000))
  })

  if (options.tool) {
    it("calls tools: id and name with the first fragment, arguments that are JSON when joined", async () => {
      const deltas = await collect(chat(asked(options.tool)))
      for (const delta of deltas) checkDelta(delta)
      const calls = callsOf(deltas)
      ok(calls.length > 0, "it called nothing")
      for (const { id, name, text } of calls) {
        ok(id && name, "a call without id or name")
        equal(typeof JSON.parse(text || "{}"), "object")
      }
      equal(deltas.findLast((delta) => delta.type === "finish")?.reason, "tool_calls")
    })
  }

  if (options.image) {
    it("takes an image", async () => {
      ok(textOf(await collect(chat(asked(options.image)))).length > 0, "it said nothing")
    })
  }

  if (options.faults) {
    faultSuite(options.faults, (given, stream = true) => chat(asked(given.request, stream), undefined, { ...connection, ...given.connection }))
  }

  for (const [name, given] of Object.entries(options.failures)) {
    it(`fails with ${name}, and tells no key`, async () => {
      const to = { ...connection, ...given.connection }
      const failure = await failureIn(chat(asked(given.request), undefined, to))
      equal(failure.name.slice(failure.name.indexOf(".") + 1), name)
      if (to.apiKey !== "") equal(JSON.stringify(failure).includes(to.apiKey), false, "the key stands in the failure")
      equal(
        gateway.logs.some((line) => to.apiKey !== "" && line.includes(to.apiKey)),
        false,
        "the key stands in the log",
      )
    })
  }
}

/** A provider type on a host of its own, for an author's further tests: close the gateway after them. */
export async function startProviderType(
  options: Pick<ProviderConformanceOptions, "plugin" | "type" | "config">,
  place: Place = "gateway",
): Promise<{ gateway: TestGateway; type: ProviderType }> {
  let types: PointUsers<ProviderType> | undefined
  const manifest = defineManifest({ id: "conformance", version: "1.0.0", sdk: "^1.0.0", summary: "Looks at a provider type.", opens: [ProviderTypes] })
  const probe = definePlugin(manifest, (host) => {
    types = host.open(ProviderTypes)
    return {}
  })
  const { plugin, config } = options
  const gateway = plugin === "bundled" ? await testGateway({ plugins: [probe], config }) : await startIn(place, plugin, probe as unknown as Plugin, { bundled: false, config })
  const type = types?.get(options.type)
  if (!type) await gateway.close()
  ok(type, `no plugin contributes the provider type ${options.type}`)
  return { gateway, type }
}

async function collect(batches: AsyncIterable<readonly Delta[]>): Promise<Delta[]> {
  const all: Delta[] = []
  for await (const batch of batches) {
    ok(batch.length > 0, "a batch is empty")
    all.push(...batch)
  }
  return all
}

async function failureIn(batches: AsyncIterable<readonly Delta[]>): Promise<FailureData> {
  try {
    await collect(batches)
  } catch (error) {
    const failure = failureOf(error)
    if (failure) return failure
    throw error
  }
  throw new Error("it did not fail")
}

function checkDelta(delta: Delta): void {
  const count = (value: unknown) => ok(Number.isInteger(value) && (value as number) >= 0, `${value} is no count: ${JSON.stringify(delta)}`)
  if (delta.type === "text" || delta.type === "thinking") ok(typeof delta.text === "string" && delta.text !== "", "an empty text")
  else if (delta.type === "tool") count(delta.index)
  else if (delta.type === "state") equal(typeof delta.state.type, "string")
  else if (delta.type === "usage") for (const name of ["promptTokens", "completionTokens", "cachedTokens", "cacheWriteTokens", "reasoningTokens"] as const) count(delta.usage[name])
  else ok(["stop", "length", "tool_calls", "content_filter"].includes(delta.reason), `finish ${delta.reason}`)
}

function textOf(deltas: readonly Delta[]): string {
  return deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("")
}

function usageOf(deltas: readonly Delta[]) {
  return deltas.findLast((delta) => delta.type === "usage")
}

function callsOf(deltas: readonly Delta[]): { id: string; name: string; text: string }[] {
  const calls = new Map<number, { id: string; name: string; text: string }>()
  for (const delta of deltas) {
    if (delta.type !== "tool") continue
    const { id, name, text } = calls.get(delta.index) ?? { id: "", name: "", text: "" }
    calls.set(delta.index, { id: id || (delta.id ?? ""), name: name || (delta.name ?? ""), text: text + (delta.arguments ?? "") })
  }
  return [...calls.values()]
}
