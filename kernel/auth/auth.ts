import type { Access, Caller, Locale } from "@plugboard/sdk"

/** All that a client may show, from headers or from `connect`, before anything is decided. */
export interface Credentials {
  /** Bearer token or `connect` token; undefined when none was sent. */
  token?: string
  userId?: string
  /** Tenant UUID or slug, in order of preference. */
  tenantRefs: readonly string[]
  /** Id of an approved browser pairing. */
  senderId?: string
  locale: Locale
  /** Client address. */
  address?: string
}

/** One way from credentials to a caller, for HTTP and socket alike. Source: wire contract, http-core 1.2, websocket 2.2. */
export interface Auth {
  /** Rejects with `kernel.unauthenticated` (401), `kernel.tenant_revoked` (401) or `kernel.tenant_suspended` (403); `kernel.database_unavailable` (503) when the database does not answer. */
  resolve(credentials: Credentials): Promise<Caller>
  /** Throws `kernel.forbidden` naming the role when `caller` is below what `access` asks for. */
  check(access: Access, caller: Caller): void
  /** Takes one token of the caller's request budget; the wait in ms when there is none, else 0. Key: user id (sockets), or bearer token or address (HTTP). */
  spend(key: string): number
  /** API keys that ended, so that their sockets can be closed. */
  onKeyRevoked(listener: (keyId: string) => void): void
  /** What the gateway knows of a tenant; null when there is none of that id. */
  tenant(id: string): Promise<TenantFacts | null>
  /** The first of these ids or slugs that names one; else the master tenant. */
  tenantNamed(refs: readonly string[]): Promise<TenantFacts>
  /** Writes what is still to be written, such as the last use of keys. */
  close(): Promise<void>
}

export interface TenantFacts {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly status: "active" | "suspended" | "archived"
}
