import { type HookContext, type HookMap, type HookName, hookDefinitions } from "@plugboard/sdk"
import tapable from "tapable"
import type { GatewayLog } from "../log.ts"
import { guardTap, type RegisteredTap } from "./tap.ts"

type Arguments = [unknown, HookContext]
type AnyHook = tapable.AsyncSeriesWaterfallHook<Arguments> | tapable.AsyncSeriesBailHook<Arguments, unknown> | tapable.AsyncParallelHook<Arguments>

/**
 * The taps of one set of enabled plugins. tapable cannot untap, so a set never changes: a switch builds a new one, and a call in flight keeps the one that it began with.
 * Taps run by phase, and within a phase in the order of `taps`, which is the order of activation (dependencies first, then id).
 */
export class HookSet {
  readonly #hooks = new Map<HookName, AnyHook>()
  readonly #stages = new Map<HookName, RegisteredTap[]>()

  constructor(taps: readonly RegisteredTap[], log: GatewayLog) {
    for (const name of new Set(taps.map((tap) => tap.hook))) {
      const definition = hookDefinitions[name]
      const ordered = definition.phases.flatMap((phase) => taps.filter((tap) => tap.hook === name && tap.decl.phase === phase))
      if (definition.kind === "transform") {
        this.#stages.set(name, ordered)
        continue
      }
      const hook = emptyHook(definition.kind)
      // The three kinds differ in what a tap answers, which tapable's types cannot say of a union.
      for (const tap of ordered) hook.tapPromise(tap.plugin, guardTap(tap, definition, log) as (...args: Arguments) => Promise<never>)
      this.#hooks.set(name, hook)
    }
  }

  /** Waterfall: the last value. Bail: the first answer, else undefined. Parallel: undefined, after all have ended. */
  async call<N extends HookName>(name: N, value: HookMap[N]["value"], context: HookContext): Promise<HookMap[N]["result"]> {
    const hook = this.#hooks.get(name)
    if (hook === undefined) return (hookDefinitions[name].kind === "waterfall" ? value : undefined) as HookMap[N]["result"]
    return (await hook.promise(value, context)) as HookMap[N]["result"]
  }

  /** The stream through each tap in turn; the very same stream when nobody taps. */
  pipe<N extends HookName>(name: N, value: HookMap[N]["value"], context: HookContext): HookMap[N]["result"] {
    const taps = this.#stages.get(name) ?? []
    return taps.reduce<unknown>((stream, tap) => tap.run(stream as never, context), value) as HookMap[N]["result"]
  }

  has(name: HookName): boolean {
    return this.#hooks.has(name) || this.#stages.has(name)
  }
}

function emptyHook(kind: "waterfall" | "bail" | "parallel"): AnyHook {
  if (kind === "waterfall") return new tapable.AsyncSeriesWaterfallHook<Arguments>(["value", "context"])
  if (kind === "bail") return new tapable.AsyncSeriesBailHook<Arguments, unknown>(["value", "context"])
  return new tapable.AsyncParallelHook<Arguments>(["value", "context"])
}
