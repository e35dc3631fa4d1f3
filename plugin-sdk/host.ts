import type { Static, TSchema } from "typebox"
import type { Caller, Locale } from "./caller.ts"
import type { EventTarget, Queries, TenantDb } from "./db.ts"
import type { Failure, FailureData } from "./errors.ts"
import type { HookMap, HookName } from "./hooks.ts"
import type { Manifest } from "./manifest.ts"
import type { PointToken, Remote, ServiceToken } from "./tokens.ts"

export interface Log {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
  child(fields: object): Log
}

export interface HttpRequest {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  signal?: AbortSignal
  /** Ms until the response's headers; 30,000 when left out. */
  headersTimeoutMs?: number
  /** Ms of silence in the body; 30,000 when left out. */
  idleTimeoutMs?: number
}
export interface HttpResponse {
  status: number
  headers: Readonly<Record<string, string>>
  /** Read it to the end, or leave the loop, or the connection stays busy. */
  body: AsyncIterable<Uint8Array>
  text(maxBytes?: number): Promise<string>
}

/** The only way out. Judges the address after resolution, at connect and on each redirect; private addresses need the operator's word (`network.allowPrivateHosts`). */
export interface Http {
  /** The cheap form, for hot paths. Does not follow redirects. Fails with `kernel.egress_refused`, `kernel.egress_failed` or `kernel.egress_timeout`. */
  request(url: string, options?: HttpRequest): Promise<HttpResponse>
  /** Resolves when a call to `url` would be let out now: for addresses that users give, before they are stored. Rejects with `kernel.egress_refused`. */
  check(url: string): Promise<void>
  /** WHATWG fetch under the same rules, for SDKs that take one. In this process only. */
  readonly fetch: typeof globalThis.fetch
}

/** Sealed values are bound to the tenant and the field's name: a value moved elsewhere does not open. Every opened value is masked in logs from then on. */
export interface Secrets {
  seal(caller: Caller, field: string, clear: string): Promise<string>
  open(caller: Caller, field: string, sealed: string): Promise<string>
}

export interface Events {
  /** To the audience that the manifest declares, on every node. */
  publish(caller: Caller, event: string, payload: object, to?: EventTarget): void
  /** Internal and public events by name; runs on every node, so keep it to caches and wake-ups. */
  subscribe(event: string, listener: (payload: never, caller: { tenantId: string }) => void): void
}

export interface Jobs {
  enqueue(caller: Caller, job: string, data: object, options?: { afterSeconds?: number; key?: string }): Promise<void>
}

/** A cache per tenant of what rarely changes: loads once for all who wait, forgets a tenant's entries when one of `changedBy` is published for it. */
export interface TenantCache<V> {
  get(caller: Caller, key: string): Promise<V>
}
export interface CacheOptions<V> {
  /** Entries over all tenants. */
  max: number
  ttlMs: number
  changedBy: readonly string[]
  load(caller: Caller, key: string): Promise<V>
}

export interface PointUsers<T> {
  /** With a caller: undefined also when its tenant does without the plugin that contributed it. */
  get(key: string, caller?: Caller): T | undefined
  /** Sorted by key. With a caller: without what plugins contribute that its tenant does without. */
  entries(caller?: Caller): readonly (readonly [string, T])[]
}

type ErrorsOf<M extends Manifest> = M["errors"] extends object ? M["errors"] : Record<never, never>
type ErrorParams<M extends Manifest, N extends keyof ErrorsOf<M>> = ErrorsOf<M>[N] extends { params: infer P extends TSchema } ? Static<P> : Record<never, never>

export interface FailOptions extends Pick<FailureData, "details" | "retryAfterMs" | "text"> {
  cause?: unknown
}

export interface Host<M extends Manifest = Manifest> {
  readonly id: M["id"]
  readonly config: M["config"] extends TSchema ? Static<M["config"]> : Record<never, never>
  readonly log: Log
  readonly db: {
    /** Bound to the caller's tenant. */
    for(caller: Caller): TenantDb
    /** Bound to no tenant: sees no rows; for the SECURITY DEFINER functions of a plugin that work over all tenants, such as lease renewal. */
    readonly unbound: Queries
  }
  readonly http: Http
  readonly secrets: Secrets
  readonly events: Events
  readonly jobs: Jobs
  readonly hooks: {
    /** Calls a hook that the manifest lists in `fires`. Without taps it costs one map look-up. */
    call<N extends HookName>(name: N, value: HookMap[N]["value"], context: { caller: Caller; signal: AbortSignal }): Promise<HookMap[N]["result"]>
    /** Wraps a stream; the same object when nobody taps. */
    pipe<N extends HookName>(name: N, value: HookMap[N]["value"], context: { caller: Caller; signal: AbortSignal }): HookMap[N]["result"]
    /** True when somebody taps it for the caller's tenant: what only taps would read need not be made otherwise. */
    tapped(name: HookName, caller: Caller): boolean
  }
  /** Resolved at each call; UNAVAILABLE while its plugin is off. */
  use<T>(token: ServiceToken<T>): Remote<T>
  /** True when the service is there now; with a caller: when its plugin is on for the tenant, too. A sandboxed plugin is told of the former alone. */
  has(token: ServiceToken<unknown>, caller?: Caller): boolean
  offer<T extends object>(token: ServiceToken<T>, implementation: T): void
  open<T>(token: PointToken<T>): PointUsers<T>
  contribute<T extends object>(token: PointToken<T>, key: string, implementation: T): void
  cache<V>(options: CacheOptions<V>): TenantCache<V>
  /** The first of these environment variables that is set. Bundled plugins only; always undefined for others. */
  environment(names: readonly string[]): string | undefined
  /** This gateway process: `id` stays over restarts of the same data folder, `boot` is new with each. */
  readonly node: { readonly id: string; readonly boot: string }
  /** Runs for each tenant, one after the other, with a system caller. */
  eachTenant(work: (caller: Caller) => Promise<void>): Promise<void>
  /** A declared failure in words, whichever plugin declared it; null for any other error, whose text is for the log alone. */
  describe(error: unknown, locale: Locale): Promise<string | null>
  /** A failure that the manifest declares. Throw it. */
  fail<N extends keyof ErrorsOf<M> & string>(name: N, params: ErrorParams<M, N>, options?: FailOptions): Failure
}
