/** The ladder of roles; each includes the ones before it. Source: wire contract, http-core 1.2. */
export const roles = ["viewer", "operator", "admin", "owner"] as const
export type Role = (typeof roles)[number]

/** What an API key may carry. The role follows from them; `approvals`, `pairing` and `provision` also open their own methods. */
export const scopes = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.provision"] as const
export type Scope = (typeof scopes)[number]

export const locales = ["en", "vi", "zh"] as const
export type Locale = (typeof locales)[number]

/** Who is asking. Only the kernel makes one; plugins pass it on. Plain data, so that it can cross a process. */
export interface Caller {
  /** Lower-case UUID of the tenant that every row touched for this caller belongs to. */
  readonly tenantId: string
  readonly tenantSlug: string
  /** External user id, opaque, at most 255 characters. */
  readonly userId: string
  readonly role: Role
  /** Scopes of the API key; empty for every other credential. */
  readonly scopes: readonly Scope[]
  readonly locale: Locale
  /** The credential that decided: gateway token, API key, authentication off, browser pairing, or the gateway itself. */
  readonly via: "token" | "key" | "open" | "pairing" | "system"
  /** Id of the API key, for `via: "key"`. */
  readonly keyId?: string
  /** True when the key has an owner: no header or body field may name another user then. */
  readonly userFixed?: boolean
  /** Network address of the client, for the audit log. */
  readonly address?: string
}

export function hasRole(caller: Caller, least: Role): boolean {
  return roles.indexOf(caller.role) >= roles.indexOf(least)
}

/** Admins and owners see what belongs to other users of their tenant; everyone else sees only their own. */
export function seesAll(caller: Caller): boolean {
  return hasRole(caller, "admin")
}

/** What belongs to the gateway and not to a tenant: owners, and admins who come to the master tenant with the gateway token, or with authentication off. Source: wire contract, websocket 3. */
export function runsGateway(caller: Caller): boolean {
  if (hasRole(caller, "owner")) return true
  return hasRole(caller, "admin") && (caller.via === "token" || caller.via === "open") && caller.tenantSlug === "master"
}
