import { failureOf, type HookContext, type HookDefinition, type HookName, type TapDecl } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"

/** One tap of one plugin, as it was declared and activated. */
export interface RegisteredTap {
  plugin: string
  hook: HookName
  decl: TapDecl
  run: (value: never, context: HookContext) => unknown
}

export type GuardedTap = (value: unknown, context: HookContext) => Promise<unknown>

/** What a tap gets. Its signal is made when it is asked for: few taps ask, and one that follows two others costs more than all else about a tap. */
function contextOf({ caller, signal }: HookContext, expiry: AbortController): HookContext {
  let own: AbortSignal | undefined
  return {
    caller,
    get signal() {
      own ??= AbortSignal.any([signal, expiry.signal])
      return own
    },
  }
}

/**
 * A tap that keeps its promises: within its time limit, or it is left behind with its signal aborted; and its failure does what its declaration says.
 * `open`: logged, and `fallback(value)` stands in. `closed`: the request fails; a failure that the plugin declared is told as it is, anything else names the plugin.
 */
export function guardTap(tap: RegisteredTap, definition: HookDefinition, log: GatewayLog): GuardedTap {
  const limit = tap.decl.timeoutMs ?? definition.timeoutMs
  const fallback = definition.kind === "waterfall" ? (value: unknown) => value : () => undefined
  return async function guardedTap(value, context) {
    const expiry = new AbortController()
    let timer: NodeJS.Timeout | undefined
    try {
      const work = tap.run(value as never, contextOf(context, expiry)) as Promise<unknown> | undefined
      if (typeof work?.then !== "function") return work
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${limit} ms`)), limit)
        work.then(resolve, reject)
      })
    } catch (error) {
      expiry.abort()
      const closed = tap.decl.failure === "closed"
      if (closed && failureOf(error)) throw error
      log.warn({ err: error, plugin: tap.plugin, hook: tap.hook, tenant: context.caller.tenantId, policy: tap.decl.failure ?? "open" }, "hook tap failed")
      if (closed) throw fail("hook_failed", { plugin: tap.plugin, hook: tap.hook }, { cause: error })
      return fallback(value)
    } finally {
      clearTimeout(timer)
    }
  }
}
