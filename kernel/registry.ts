import type { EventDecl, Manifest, RouteDecl, RouteRequest, RpcCall, RpcDecl, Texts } from "@plugboard/sdk"

/** A route of an active plugin. The kernel has checked access and input before `handle` is called. */
export interface RouteEntry {
  readonly plugin: string
  readonly name: string
  readonly decl: RouteDecl
  /** True: its process checks what it is sent, and its schemas are for that and for documents alone. The kernel has looked at size, depth and JSON. */
  readonly foreign?: boolean
  readonly handle: (request: RouteRequest<RouteDecl>) => Promise<unknown>
}

export interface MethodEntry {
  readonly plugin: string
  readonly method: string
  readonly decl: RpcDecl
  readonly foreign?: boolean
  readonly handle: (params: unknown, call: RpcCall) => Promise<unknown>
}

export interface EventEntry {
  readonly plugin: string
  readonly name: string
  readonly decl: EventDecl
}

/** What the active plugins contribute, as one immutable picture; a change makes a new one. */
export interface Registry {
  readonly routes: readonly RouteEntry[]
  readonly methods: ReadonlyMap<string, MethodEntry>
  readonly events: ReadonlyMap<string, EventEntry>
  readonly manifests: readonly Manifest[]
  /** Error texts by plugin id; `kernel` is one of them. */
  readonly texts: ReadonlyMap<string, Texts>
  /** True for a tenant that does without the plugin: its routes and methods are not there for that tenant. */
  readonly isOff: (plugin: string, tenantId: string) => boolean
}

/** Where the rooms read the present picture. `onChange` is called with each new one. */
export interface RegistrySource {
  readonly current: Registry
  onChange(listener: (registry: Registry) => void): () => void
}
