import { type Caller, type EventTarget, type FailOptions, type Host, type Locale, type Tool, Tools } from "@plugboard/sdk"
import { declaredFailure } from "../../failures.ts"
import { createTenantCache } from "../../plugins/tenant-cache.ts"
import { type Facade, facadeOf, type Init, type Registration, valueOrStream } from "../contract.ts"
import { wireError } from "../wire/errors.ts"
import type { Peer } from "../wire/peer.ts"
import { ChildDatabase } from "./database.ts"
import { createHttp } from "./http.ts"

type Listener = (payload: never, about: { tenantId: string }) => void
type Member = Record<string, (...args: unknown[]) => unknown>

/** The plugin's host in its own process: what it is asked for goes to the gateway, which decides. */
export class ChildHost {
  readonly #init: Init
  readonly #peer: Peer
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #facades = new Map<string, Member>()
  readonly #offers: Registration["offers"] = []
  readonly #contributions: Registration["contributions"] = []
  readonly #points = new Map<string, Map<string, object>>()
  #services: ReadonlySet<string>
  readonly face: Host

  constructor(init: Init, peer: Peer) {
    this.#init = init
    this.#peer = peer
    this.#services = new Set(init.services)
    this.face = this.#makeFace()
  }

  registration(parts: Record<string, unknown>): Registration {
    const names = (kind: string) => Object.keys((parts[kind] ?? {}) as object)
    return {
      handlers: { routes: names("routes"), rpc: names("rpc"), hooks: names("hooks"), jobs: names("jobs") },
      life: (["start", "drain", "stop"] as const).filter((name) => typeof parts[name] === "function"),
      offers: this.#offers,
      contributions: this.#contributions,
      events: [...this.#listeners.keys()],
      opens: [...this.#points.keys()],
    }
  }

  told(method: string, args: readonly unknown[]): void {
    if (method === "event") {
      const [name, payload, tenantId] = args as [string, never, string]
      for (const listener of this.#listeners.get(name) ?? []) this.#guarded(name, () => listener(payload, { tenantId }))
    } else if (method === "services") this.#services = new Set(args[0] as string[])
    else if (method === "point") this.#pointChanged(args[0] as string, args[1] as [string, string, Facade][])
  }

  /** A call of something that this plugin has offered or contributed. */
  async facade(key: string, method: string, args: unknown[], signal: AbortSignal): Promise<unknown> {
    const target = this.#facades.get(key) as Member
    if (key.startsWith(`${Tools.point} `) && method === "call") {
      const { refusedArguments } = await import("./input.ts")
      const refused = refusedArguments(target as unknown as Tool, args[0])
      if (refused) return refused
    }
    return (target[method] as Member[string])(...args, signal)
  }

  #guarded(event: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#peer.tell("log", ["error", { event, err: wireError(error, true) }, "event listener failed"])
    }
  }

  #pointChanged(point: string, entries: [string, string, Facade][]): void {
    const users = this.#points.get(point)
    if (!users) return
    users.clear()
    for (const [key, target, facade] of entries)
      users.set(
        key,
        this.#proxy(facade, (method, args, signal) => this.#peer.call("point", [point, target, method, args], signal)),
      )
  }

  #proxy({ data, methods }: Facade, call: (method: string, args: unknown[], signal: AbortSignal | undefined) => Promise<unknown>): object {
    return { ...data, ...Object.fromEntries(methods.map((method) => [method, (...args: unknown[]) => valueOrStream(() => call(method, ...splitSignal(args)))])) }
  }

  #makeFace(): Host {
    const { manifest, config, node } = this.#init
    const peer = this.#peer
    const { id } = manifest
    const undeclared = (what: string, name: string) => new Error(`plugin ${id}: ${what} ${name} is not in its manifest`)
    const log = (fields: object) => {
      const at = (level: string) => (more: object, text: string) => peer.tell("log", [level, plain({ ...fields, ...more }), String(text)])
      return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: (more: object) => log({ ...fields, ...more }) }
    }
    const database = new ChildDatabase(peer)
    const subscribe = (event: string, listener: Listener) => {
      const set = this.#listeners.get(event) ?? new Set()
      set.add(listener)
      this.#listeners.set(event, set)
      return () => set.delete(listener)
    }
    const register = (kind: string, name: string, implementation: object): Facade => {
      this.#facades.set(`${kind} ${name}`, implementation as Member)
      return facadeOf(implementation)
    }
    const refuseHook = (name: string) => {
      throw undeclared("fired hook", name)
    }
    return {
      id,
      config,
      log: log({}),
      db: {
        for: (caller: Caller) => database.for(caller),
        get unbound(): never {
          throw new Error(`plugin ${id}: db.unbound is for bundled plugins`)
        },
      },
      http: createHttp(peer, database),
      secrets: {
        seal: (caller: Caller, field: string, clear: string) => peer.call("secrets.seal", [caller, field, clear]),
        open: (caller: Caller, field: string, sealed: string) => peer.call("secrets.open", [caller, field, sealed]),
      },
      events: {
        publish: (caller: Caller, event: string, payload: object, to?: EventTarget) => peer.tell("publish", [caller, event, payload, to]),
        subscribe: (event: string, listener: Listener) => void subscribe(event, listener),
      },
      jobs: { enqueue: async (caller: Caller, job: string, data: object, options?: object) => void (await peer.call("jobs.enqueue", [caller, job, data, options])) },
      hooks: { call: refuseHook, pipe: refuseHook, tapped: refuseHook },
      use: (token: { service: string; version: string }) =>
        new Proxy({} as Record<PropertyKey, unknown>, {
          get: (_, name) => {
            if (typeof name === "symbol" || name === "then") return undefined
            return (...args: unknown[]) => {
              database.refuseInside(`the service ${token.service}`)
              return valueOrStream(() => {
                const [values, signal] = splitSignal(args)
                return peer.call("service", [token.service, token.version, name, values], signal)
              })
            }
          },
        }),
      has: (token: { service: string }) => this.#services.has(token.service),
      offer: (token: { service: string; version: string }, implementation: object) =>
        void this.#offers.push({ service: token.service, version: token.version, facade: register("service", token.service, implementation) }),
      contribute: (token: { point: string; version: string }, key: string, implementation: object) =>
        void this.#contributions.push({ point: token.point, version: token.version, key, facade: register(token.point, key, implementation) }),
      open: (token: { point: string }) => {
        const users = this.#points.get(token.point) ?? new Map<string, object>()
        this.#points.set(token.point, users)
        return { get: (key: string) => users.get(key), entries: () => [...users].sort(([a], [b]) => (a < b ? -1 : 1)) }
      },
      cache: (options: never) =>
        createTenantCache(options, { subscribe: (name: string, forget: (event: { tenantId: string }) => void) => subscribe(name, (_, about) => forget(about)) } as never),
      environment: () => undefined,
      node,
      async eachTenant(work: (caller: Caller) => Promise<void>) {
        const { lease, callers } = (await peer.call("tenants", [])) as { lease: number; callers: Caller[] }
        try {
          for (const caller of callers) await work(caller)
        } finally {
          peer.tell("tenants.done", [lease])
        }
      },
      describe: (error: unknown, locale: Locale) => peer.call("describe", [wireError(error, false).failure ?? null, locale]),
      fail(name: string, params: object, options?: FailOptions) {
        const decl = manifest.errors?.[name]
        if (!decl) throw undeclared("error", name)
        return declaredFailure(id, name, decl, params as Record<string, unknown>, options ?? {})
      },
    } as unknown as Host
  }
}

/** A last argument may be a signal; it crosses as the call's own. */
function splitSignal(args: readonly unknown[]): [unknown[], AbortSignal | undefined] {
  const last = args.at(-1)
  return last instanceof AbortSignal ? [args.slice(0, -1), last] : [[...args], undefined]
}

/** Fields of a log line as they can cross: errors by their text. */
function plain(fields: object): object {
  return JSON.parse(JSON.stringify(fields, (_, value) => (value instanceof Error ? wireError(value, true) : typeof value === "bigint" ? String(value) : value))) as object
}
