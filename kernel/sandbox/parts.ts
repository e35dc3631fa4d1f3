import {
  type Caller,
  type HookContext,
  type HookName,
  hookDefinitions,
  type JobRun,
  type Log,
  type Manifest,
  type RouteDecl,
  type RouteRequest,
  type RpcCall,
  type SseAnswer,
} from "@plugboard/sdk"
import type { ActivePlugin } from "../plugins/active.ts"
import { isStream, type RpcAnswer, type TapAnswer } from "./contract.ts"
import { checkHookAnswer } from "./hook-answers.ts"
import type { Instance } from "./instance.ts"
import { checkedAnswer } from "./route-answer.ts"
import { streamTap } from "./stream-tap.ts"

/** Longest answer of a handler that says nothing of its own, in ms. */
const usualLimitMs = 30_000
const jobLimitMs = 300_000

/** Calls under way whose process may still say something about them. */
export class OpenCalls {
  readonly #open = new Map<number, RpcCall>()
  #last = 0

  add(call: RpcCall): number {
    this.#open.set(++this.#last, call)
    return this.#last
  }

  remove(id: number): void {
    this.#open.delete(id)
  }

  /** An event to the socket of a call. */
  emit([id, event, payload]: readonly unknown[]): void {
    this.#open.get(id as number)?.emit(event as string, payload as object)
  }
}

/** A handler for each thing that the manifest declares, whose work the plugin's process does. */
export function partsOf(manifest: Manifest, instance: Instance, calls: OpenCalls, log: Log): ActivePlugin["parts"] {
  return {
    routes: mapped(manifest.routes, (name, decl) => routeHandler(instance, manifest.id, name, decl)),
    rpc: mapped(manifest.rpc, (name, decl) => rpcHandler(instance, calls, name, decl.limits?.timeoutMs ?? usualLimitMs)),
    hooks: mapped(manifest.hooks, (hook, decl) => {
      const name = hook as HookName
      return hookDefinitions[name].kind === "transform" ? streamTap(instance, { plugin: manifest.id, name, decl, log }) : tap(instance, name)
    }),
    jobs: mapped(manifest.jobs, (name, decl) => async (data: object, { caller, signal }: JobRun) => {
      await instance.call("job", (lent) => [name, data, lent], { caller, signal, limitMs: decl.timeoutSeconds ? decl.timeoutSeconds * 1_000 : jobLimitMs })
    }),
    stop: () => instance.stop(),
  } as ActivePlugin["parts"]
}

function mapped<D>(declared: Readonly<Record<string, D>> | undefined, make: (name: string, decl: D) => unknown): Record<string, never> {
  return Object.fromEntries(Object.entries(declared ?? {}).map(([name, decl]) => [name, make(name, decl)])) as Record<string, never>
}

function routeHandler(instance: Instance, plugin: string, name: string, decl: RouteDecl) {
  return async function callRoute({ params, query, body, headers, caller, signal }: RouteRequest<RouteDecl>): Promise<unknown> {
    const answer = await instance.call("route", (lent) => [name, { params, query, body, headers, caller: lent }], {
      caller,
      signal,
      limitMs: decl.limits?.timeoutMs ?? usualLimitMs,
      keep(answer) {
        const sse = answer as SseAnswer
        return sse?.answer === "sse" && isStream(sse.frames) ? { source: sse.frames, wrap: (frames) => ({ ...sse, frames }) } : undefined
      },
    })
    return checkedAnswer(plugin, answer)
  }
}

function rpcHandler(instance: Instance, calls: OpenCalls, name: string, limitMs: number) {
  return async function callMethod(params: unknown, call: RpcCall): Promise<unknown> {
    const id = calls.add(call)
    // Work behind the answer has the caller that the call had.
    const behind = Promise.withResolvers<void>()
    let kept = false
    try {
      const facts = { connectionId: call.connectionId, cliProfile: call.cliProfile, call: id }
      const { result, after } = (await instance.call("rpc", (lent) => [name, params, { ...facts, caller: lent }], {
        caller: call.caller,
        signal: call.closed,
        limitMs,
        until: (answer) => ((answer as RpcAnswer | undefined)?.after ? behind.promise : undefined),
      })) as RpcAnswer
      if (after) {
        kept = true
        call.after(async () => {
          try {
            await instance.call("after", () => [id], { caller: undefined, signal: call.closed, limitMs: jobLimitMs })
          } finally {
            behind.resolve()
            calls.remove(id)
          }
        })
      }
      return result
    } finally {
      if (!kept) calls.remove(id)
    }
  }
}

function tap(instance: Instance, name: HookName) {
  return async function callTap(value: unknown, { caller, signal }: HookContext): Promise<unknown> {
    const answer = (await instance.call("hook", (lent) => [name, value, lent], { caller, signal })) as TapAnswer
    if ("same" in answer) return value
    const said = answer.value ?? undefined
    checkHookAnswer(name, said)
    return said
  }
}

/** The caller of a method that comes from another plugin stands first among its arguments. */
export function callerIn(args: readonly unknown[]): Caller | undefined {
  const found = args.find((arg) => typeof arg === "object" && arg !== null && ("tenantId" in arg || "caller" in arg)) as (Caller & { caller?: Caller }) | undefined
  return found?.caller ?? found
}
