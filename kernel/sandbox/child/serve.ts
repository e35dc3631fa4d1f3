import type { Caller, HookContext, Manifest, Plugin } from "@plugboard/sdk"
import type { Init, Registration, RpcAnswer, TapAnswer } from "../contract.ts"
import { Peer } from "../wire/peer.ts"
import type { Pipes } from "./harden.ts"
import { ChildHost } from "./host.ts"

type Handler = (...args: unknown[]) => unknown
type Parts = Partial<Record<"routes" | "rpc" | "hooks" | "jobs", Record<string, Handler>>> & Partial<Record<"start" | "drain" | "stop", Handler>>

interface CallFacts {
  caller: Caller
  connectionId: string
  cliProfile: boolean
  /** Names this call in what it tells. */
  call: number
}

/** Loaded with the first input that has a schema: a process that only taps hooks starts faster without. */
const input = () => import("./input.ts")

/** Activates the plugin when the gateway says so, and answers the gateway's calls to it. */
export function serveGateway({ input: incoming, output }: Pipes): void {
  let host: ChildHost | undefined
  let manifest: Manifest
  let parts: Parts = {}
  const later = new Map<number, (() => Promise<void>)[]>()
  const peer: Peer = new Peer({
    input: incoming,
    output,
    mostCalls: 100_000,
    mostBytes: Number.POSITIVE_INFINITY,
    mostOwnCalls: 500,
    paced: false,
    sendStacks: true,
    serve: (method, args, signal) => (serving[method] as (args: readonly unknown[], signal: AbortSignal) => Promise<unknown>)(args, signal),
    told: (method, args) => host?.told(method, args),
    broken: (reason) => {
      process.stderr.write(`the gateway does not keep to the protocol: ${reason}\n`)
      process.exit(1)
    },
  })
  incoming.on("end", () => process.exit(0))

  const handler = (kind: keyof Registration["handlers"], name: unknown): Handler => parts[kind]?.[name as string] as Handler

  const serving: Record<string, (args: readonly unknown[], signal: AbortSignal) => Promise<unknown>> = {
    async init([given]) {
      const init = given as Init
      const { default: plugin } = (await import(init.entry)) as { default?: Plugin }
      if (typeof plugin?.activate !== "function") throw new Error("its module has no default export made by definePlugin")
      if (plugin.manifest.id !== init.manifest.id) throw new Error(`its module is of the plugin ${plugin.manifest.id}`)
      manifest = init.manifest
      const config = manifest.config ? (await input()).checkedConfig(manifest, init.config) : init.config
      host = new ChildHost({ ...init, config }, peer)
      parts = plugin.activate(host.face as never) as Parts
      return host.registration(parts as never)
    },
    async life([name], signal) {
      await parts[name as "start"]?.(signal)
    },
    async route([name, request], signal) {
      const { routes } = manifest
      const { params, query, body } = routes?.[name as string] ?? {}
      const checked = params || query || body ? (await input()).checkedRequest(manifest, name as string, request as never) : (request as object)
      return handler("routes", name)({ ...checked, signal })
    },
    async rpc([name, params, facts], signal) {
      const { call, ...rest } = facts as CallFacts
      const jobs: (() => Promise<void>)[] = []
      const checked = manifest.rpc?.[name as string]?.params ? (await input()).checkedParams(manifest, name as string, params) : params
      const result = await handler("rpc", name)(checked, {
        ...rest,
        closed: signal,
        emit: (event: string, payload: object) => peer.tell("emit", [call, event, payload]),
        after: (work: () => Promise<void>) => void jobs.push(work),
      })
      if (jobs.length > 0) later.set(call, jobs)
      return { result, after: jobs.length > 0 } satisfies RpcAnswer
    },
    async after([call]) {
      const jobs = later.get(call as number) ?? []
      later.delete(call as number)
      await Promise.all(jobs.map((work) => work()))
    },
    async hook([name, value, caller], signal): Promise<TapAnswer> {
      const answer = await handler("hooks", name)(value, { caller, signal } as HookContext)
      return answer === value ? { same: true } : { value: answer }
    },
    async job([name, data, caller], signal) {
      await handler("jobs", name)(data, { caller, signal })
    },
    async facade([key, method, args], signal) {
      return host?.facade(key as string, method as string, args as unknown[], signal)
    },
    async ping() {
      return true
    },
  }
}
