import { deepEqual, equal, ok } from "node:assert/strict"
import type { Caller } from "../caller.ts"
import { isError } from "../errors.ts"
import { type HookContext, type HookMap, type HookName, hookDefinitions, type Transform } from "../hooks.ts"
import { defineManifest } from "../manifest.ts"
import { definePlugin, type Plugin } from "../plugin.ts"
import type { TestGateway } from "./gateway.ts"
import { streamSuite } from "./stream-conformance.ts"
import { frozen, type GivenPlugin, manifestOf, type Place, placeTitles, startIn, suiteGlobals } from "./suite.ts"

/** What a hook is called with; for a stream, all of its pieces. */
export type HookGiven<N extends HookName> = HookMap[N] extends Transform<infer V> ? readonly V[] : HookMap[N]["value"]
/** What comes of it; for a stream, all pieces, where texts that follow each other may be one. */
export type HookExpected<N extends HookName> = HookMap[N] extends Transform<infer V> ? readonly V[] : HookMap[N]["result"]
/** `fails`: the name of the failure that a `closed` tap refuses with, such as `card-guard.refused`. */
export type HookCase<N extends HookName> = { given: HookGiven<N> } & ({ expected: HookExpected<N>; fails?: undefined } | { fails: string; expected?: undefined })

export interface HookConformanceOptions<N extends HookName> {
  /** The plugin that taps the hook, as `testGateway` takes it. */
  plugin: GivenPlugin
  hook: N
  /** Values that are none of the tap's business. */
  untouched: readonly [HookGiven<N>, ...HookGiven<N>[]]
  /** Values that it changes, answers or refuses, with what must come of them. */
  cases: readonly HookCase<N>[]
  /** Gateway configuration. */
  config?: Record<string, unknown>
  /** True: with the bundled plugins, for a plugin that needs their services. */
  bundled?: boolean
  /** True: also in a process of its own, from the plugin's folder, as an installed plugin runs. */
  sandboxed?: boolean
}

/**
 * What every tap must hold to, as mocha suites, wherever it runs: call it in a test file.
 * Needs the package `plugboard` beside `@plugboard/sdk`.
 */
export function hookConformance<N extends HookName>(options: HookConformanceOptions<N>): void {
  const { describe, it, before, after } = suiteGlobals()
  const { hook } = options
  const manifest = manifestOf(options.plugin)
  const definition = hookDefinitions[hook]
  describe(`tap of ${hook} by ${manifest.id}`, () => {
    it("is declared, in a phase of the hook, with a time limit that the hook allows", () => {
      const decl = manifest.hooks?.[hook]
      ok(decl, `the manifest declares no tap of ${hook}`)
      ok(definition.phases.includes(decl.phase), `phases of ${hook} are ${definition.phases.join(", ")}`)
      ok(decl.timeoutMs === undefined || (decl.timeoutMs > 0 && decl.timeoutMs <= Math.max(definition.timeoutMs, 60_000)), `${decl.timeoutMs} ms`)
    })

    for (const place of ["gateway", "copied", ...(options.sandboxed ? (["sandbox"] as const) : [])] as const) {
      describe(placeTitles[place], () => {
        let started: StartedHook<N>
        before(async () => {
          started = await startHook(options, place)
          await warmUp(started, options)
        })
        after(async () => started?.gateway.close())
        if (definition.kind === "transform") streamSuite(() => started as unknown as StartedHook<"llm.stream">, options as unknown as HookConformanceOptions<"llm.stream">)
        else valueSuite(() => started, options, place)
      })
    }
  })
}

/** The first call of a new process waits until its code is compiled, which on a busy machine takes longer than a tap may: a gateway sees that once, and the suite not at all. */
async function warmUp<N extends HookName>(started: StartedHook<N>, { hook, untouched }: HookConformanceOptions<N>): Promise<void> {
  const [given] = untouched
  if (hookDefinitions[hook].kind !== "transform") await started.call(given as HookMap[N]["value"]).catch(() => undefined)
  started.complaints()
}

function valueSuite<N extends HookName>(started: () => StartedHook<N>, { hook, untouched, cases }: HookConformanceOptions<N>, place: Place): void {
  const { it } = suiteGlobals()
  const changes = hookDefinitions[hook].kind === "waterfall"

  it("leaves alone what is none of its business, and changes nothing of what it is given", async () => {
    for (const given of untouched) {
      const value = frozen(structuredClone(given)) as HookMap[N]["value"]
      const result = await started().call(value)
      if (changes && place !== "copied") equal(result, value, "return the same value, not a copy of it")
      else deepEqual(result, changes ? given : undefined)
    }
    deepEqual(started().complaints(), [])
  })

  for (const [at, { given, expected, fails }] of cases.entries()) {
    it(fails === undefined ? `does what it should with case ${at + 1}` : `refuses case ${at + 1} with ${fails}`, async () => {
      const work = started().call(frozen(structuredClone(given)) as HookMap[N]["value"])
      if (fails === undefined) deepEqual(await work, expected)
      else {
        const error = await work.then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        ok(isError(error, fails), `it did not refuse with ${fails}: ${String(error)}`)
      }
      deepEqual(started().complaints(), [])
    })
  }

  it("keeps calls apart that run at once", async () => {
    const calm = cases.flatMap(({ given, expected, fails }) => (fails === undefined ? [{ given, expected }] : []))
    const all = [...untouched.map((given) => ({ given, expected: changes ? given : undefined })), ...calm]
    const results = await Promise.all(all.map(({ given }) => started().call(frozen(structuredClone(given)) as HookMap[N]["value"])))
    deepEqual(
      results,
      all.map(({ expected }) => expected),
    )
  })
}

export interface StartedHook<N extends HookName> {
  gateway: TestGateway
  /** As an operator of the tenant `master`. */
  call(value: HookMap[N]["value"], signal?: AbortSignal): Promise<HookMap[N]["result"]>
  pipe(value: HookMap[N]["value"], signal?: AbortSignal): HookMap[N]["result"]
  /** Log lines since the last look about taps that failed or took too long: an `open` tap hides that from its caller. */
  complaints(): string[]
}

/** A hook with the plugin's tap on a gateway of its own, for an author's further tests: close the gateway after them. */
export async function startHook<N extends HookName>(
  options: Pick<HookConformanceOptions<N>, "plugin" | "hook" | "config" | "bundled">,
  place: Place = "gateway",
): Promise<StartedHook<N>> {
  const { hook } = options
  let fire: Pick<StartedHook<N>, "call" | "pipe"> | undefined
  const manifest = defineManifest({ id: "conformance", version: "1.0.0", sdk: "^1.0.0", summary: "Fires a hook.", fires: [hook] })
  const probe = definePlugin(manifest, (host) => ({
    start: () =>
      host.eachTenant(async (system) => {
        const caller: Caller = { ...system, userId: "conformance", role: "operator" }
        const context = (signal = AbortSignal.timeout(30_000)): HookContext => ({ caller, signal })
        fire ??= { call: (value, signal) => host.hooks.call(hook, value, context(signal)), pipe: (value, signal) => host.hooks.pipe(hook, value, context(signal)) }
      }),
  }))
  const gateway = await startIn(place, options.plugin, probe as unknown as Plugin, { bundled: options.bundled ?? false, config: options.config })
  let seen = 0
  return {
    gateway,
    ...(fire as Pick<StartedHook<N>, "call" | "pipe">),
    complaints() {
      const lines = gateway.logs.slice(seen)
      seen += lines.length
      return lines.filter((line) => line.includes('"hook tap failed"'))
    },
  }
}
