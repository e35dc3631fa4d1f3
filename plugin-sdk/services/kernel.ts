import type { Caller, Role, Scope } from "../caller.ts"
import type { EventDecl, RouteDecl, RpcDecl } from "../manifest.ts"
import { service } from "../tokens.ts"

/** An API key without its secret. Times are RFC 3339 with `Z`. */
export interface ApiKey {
  id: string
  /** Null for a key of the whole gateway. */
  tenant_id: string | null
  name: string
  /** First 8 characters of the key. */
  prefix: string
  scopes: Scope[]
  owner_id?: string
  expires_at: string | null
  last_used_at: string | null
  revoked: boolean
  created_by: string
  created_at: string
  updated_at: string
}
export interface NewApiKey {
  name: string
  scopes: readonly string[]
  /** Seconds; null, 0 or less: never. */
  expires_in?: number | null
  owner_id?: string
  tenant_id?: string
}

/** API keys. Nobody makes or ends one beyond their own role. */
export interface KeysService {
  list(caller: Caller, limit: number, offset: number): Promise<ApiKey[]>
  /** `key` is the only time that the secret is shown. */
  create(caller: Caller, input: NewApiKey): Promise<ApiKey & { key: string }>
  /** Idempotent; effective at once, also on open sockets. */
  revoke(caller: Caller, id: string): Promise<void>
}
export const Keys = service<KeysService>("kernel.keys", "1.0.0")

export interface TenantRow {
  id: string
  name: string
  slug: string
  status: "active" | "suspended" | "archived"
  settings: Record<string, unknown>
  created_at: string
  updated_at: string
}
export interface NewTenant {
  name: string
  slug: string
  settings?: Readonly<Record<string, unknown>>
}
/** What is left out stays; `settings` are replaced. */
export interface TenantChange {
  name?: string
  status?: TenantRow["status"]
  settings?: Readonly<Record<string, unknown>>
}

/** What a user is in a tenant. It opens the tenant to users of the gateway token; what they may do there follows from the credential. */
export const memberRoles = ["owner", "admin", "operator", "member", "viewer"] as const
export interface Member {
  id: string
  tenant_id: string
  user_id: string
  display_name?: string
  role: (typeof memberRoles)[number]
  metadata?: Record<string, unknown>
  created_at: string
  updated_at: string
}

/**
 * Tenants and their members; `ref` is an id or a slug. A tenant that the caller may not see is `kernel.unknown_tenant`.
 * A change is in force at once on this node, also on open sockets, and on the others within a second.
 */
export interface TenantsService {
  /** Tenants that the caller may enter; owners: all. */
  mine(caller: Caller): Promise<(TenantRow & { role: string })[]>
  /** The oldest first. Owners only. */
  list(caller: Caller, limit: number, offset: number): Promise<TenantRow[]>
  /** Owners see any, admins their own. */
  get(caller: Caller, ref: string): Promise<TenantRow>
  /** Owners, and keys with `operator.provision`. */
  create(caller: Caller, input: NewTenant): Promise<TenantRow>
  /** A tenant that is not active admits nobody but owners. Owners only; the master tenant stays active. */
  update(caller: Caller, ref: string, change: TenantChange): Promise<TenantRow>
  /** With its members, API keys and pairings, and what plugins keep for it, which is deleted in the background. Owners only; never the master tenant. */
  remove(caller: Caller, ref: string): Promise<void>
  /** Members whose id or name holds the text, whatever its case; by user id. */
  search(caller: Caller, text: string, limit: number): Promise<Member[]>
  /** By user id. Owners only. */
  members(caller: Caller, ref: string, limit: number, offset: number): Promise<Member[]>
  /** Adds a member, or gives it another role. Owners, and keys with `operator.provision`: a key of a tenant in that one only. */
  addMember(caller: Caller, ref: string, userId: string, role: Member["role"]): Promise<void>
  /** Nothing happens when the user is no member. Owners only. */
  removeMember(caller: Caller, ref: string, userId: string): Promise<void>
}
export const Tenants = service<TenantsService>("kernel.tenants", "1.1.0")

export interface ConnectionInfo {
  id: string
  remoteAddr: string
  userId: string
  role: Role
  connectedAt: string
}
export interface PluginState {
  id: string
  version: string
  /** `bundled`: in the gateway's process. `package`: in a process of its own. */
  origin: "bundled" | "package"
  state: "active" | "disabled" | "waiting" | "failed"
  reason?: string
  remedy?: string
  /** A newer version that did not come up, while this one goes on. */
  pending?: { version: string; reason: string; remedy: string }
}
/** What the gateway knows of itself. */
export interface GatewayService {
  health(): Promise<{ uptimeMs: number; version: string; database: "ok" | "error"; loopDelayMs: number; plugins: PluginState[] }>
  connections(caller: Caller): Promise<ConnectionInfo[]>
}
export const Gateway = service<GatewayService>("kernel.gateway", "1.0.0")

export interface ServedRoute {
  plugin: string
  name: string
  decl: RouteDecl
}
export interface ServedMethod {
  /** `kernel` for `connect`, which is no plugin's. */
  plugin: string
  name: string
  decl: RpcDecl
  /** Other names that are taken for a parameter's own. */
  spellings: readonly (readonly [other: string, name: string])[]
}
export interface ServedEvent {
  plugin: string
  name: string
  decl: EventDecl
}
/** What the active plugins serve. Methods and events by name, without those that never leave the gateway; `connect`, with which a socket begins, comes first. */
export interface Served {
  /** Of the gateway. */
  version: string
  routes: readonly ServedRoute[]
  methods: readonly ServedMethod[]
  events: readonly ServedEvent[]
}
/** For whatever describes the gateway. */
export interface CatalogService {
  /** The same object until something changes. */
  served(): Promise<Served>
}
export const Catalog = service<CatalogService>("kernel.catalog", "1.0.0")

/** One change, as it stands in the audit log. */
export interface ActivityEntry {
  id: string
  /** `user`, or `system` for what the gateway did by itself. */
  actor_type: string
  actor_id: string
  /** Such as `agent.updated`. */
  action: string
  entity_type?: string
  entity_id?: string
  /** What changed, without secrets. */
  details: unknown
  /** Without a port. */
  ip_address?: string
  created_at: string
}
/** Each compares exactly; what is left out does not narrow. */
export interface ActivityFilter {
  actor_type?: string
  actor_id?: string
  action?: string
  entity_type?: string
  entity_id?: string
}
export interface AuditService {
  /** The latest first. Below admin only what the caller did. */
  list(caller: Caller, filter: ActivityFilter, limit: number, offset: number): Promise<{ entries: ActivityEntry[]; total: number }>
}
/** Reads the audit log. Plugins write to it with `tx.audit`. */
export const Audit = service<AuditService>("kernel.audit", "1.0.0")

export interface NewPairing {
  senderId: string
  channel: string
  chatId: string
  accountId: string
}
/** Times in ms since 1970. */
export interface PendingPairing {
  code: string
  sender_id: string
  channel: string
  chat_id: string
  account_id: string
  created_at: number
  expires_at: number
}
export interface PairedDevice {
  sender_id: string
  channel: string
  chat_id: string
  paired_at: number
  paired_by: string
}
/** Devices and senders of channels that somebody let in. A code lives for an hour, a pairing for 30 days; a browser that is paired is an operator. */
export interface PairingsService {
  /** At most 3 wait for one account of a channel: `kernel.pairings_full`. Asked for again, the code that waits. */
  request(caller: Caller, wanted: NewPairing): Promise<{ code: string }>
  /** `kernel.unknown_pairing` for a code that is wrong or too old; after 10 wrong ones `kernel.rate_limited` for ten minutes. */
  approve(caller: Caller, code: string, approvedBy: string): Promise<PairedDevice>
  deny(caller: Caller, code: string): Promise<void>
  list(caller: Caller): Promise<{ pending: PendingPairing[]; paired: PairedDevice[] }>
  /** In force at once, also on open sockets. */
  revoke(caller: Caller, senderId: string, channel: string): Promise<void>
  /** Of a browser. Needs no more than its id, which only the gateway and the browser know. */
  status(senderId: string): Promise<"approved" | "pending" | "expired">
}
export const Pairings = service<PairingsService>("kernel.pairings", "1.0.0")

/** Offered by the plugin that lets browsers ask to be let in: while it is there, `connect` without a credential begins a pairing. */
export const PairingDoor = service<object>("pairing.door", "1.0.0")
