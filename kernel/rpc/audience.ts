import { type Audience, type Caller, type EventTarget, hasRole } from "@plugboard/sdk"
import type { LiveEvent } from "../events.ts"
import type { Connection } from "./connection.ts"

type Index = Map<string, Set<Connection>>
const nobody: ReadonlySet<Connection> = new Set()

/** Sockets that have connected, found by tenant and by user, so that an event does not look at all of them. */
export class Audiences {
  readonly #tenants: Index = new Map()
  readonly #admins: Index = new Map()
  readonly #users: Index = new Map()

  join(connection: Connection, caller: Caller, change = add): void {
    change(this.#tenants, caller.tenantId, connection)
    change(this.#users, userKey(caller.tenantId, caller.userId), connection)
    if (hasRole(caller, "admin")) change(this.#admins, caller.tenantId, connection)
  }

  leave(connection: Connection, caller: Caller): void {
    this.join(connection, caller, remove)
  }

  /**
   * Visits who gets an event. It stays within its tenant, where admins get all that leaves the gateway, except what is for owners.
   * An event for users that names none is for admins. Source: wire contract, websocket 5.4.
   */
  reach({ tenantId, to }: LiveEvent, audience: Audience, visit: (connection: Connection) => void): void {
    if (audience === "all") {
      for (const connections of this.#tenants.values()) for (const connection of connections) visit(connection)
    }
    if (audience === "all" || audience === "internal" || audience === "socket" || tenantId === null) return
    if (audience === "tenant" || audience === "operators" || audience === "owners") {
      const role = audience === "operators" ? "operator" : audience === "owners" ? "owner" : "viewer"
      for (const connection of this.#tenants.get(tenantId) ?? nobody) if (connection.caller && hasRole(connection.caller, role)) visit(connection)
      return
    }
    const named = audience === "admins" || !to ? nobody : this.#named(tenantId, to)
    for (const connection of named) visit(connection)
    for (const connection of this.#admins.get(tenantId) ?? nobody) if (!named.has(connection)) visit(connection)
  }

  #named(tenantId: string, { userId, users = [], except = [] }: EventTarget): ReadonlySet<Connection> {
    const of = (user: string | undefined) => (user === undefined ? nobody : (this.#users.get(userKey(tenantId, user)) ?? nobody))
    if (users.length === 0) return of(userId)
    const others = users === "everyone" ? [...(this.#tenants.get(tenantId) ?? nobody)] : users.flatMap((user) => [...of(user)])
    return new Set([...of(userId), ...others.filter(({ caller }) => !except.includes(caller?.userId ?? ""))])
  }
}

function userKey(tenantId: string, userId: string): string {
  return `${tenantId}\n${userId}`
}

function add(index: Index, key: string, connection: Connection): void {
  const set = index.get(key)
  if (set) set.add(connection)
  else index.set(key, new Set([connection]))
}

function remove(index: Index, key: string, connection: Connection): void {
  const set = index.get(key)
  if (set?.delete(connection) && set.size === 0) index.delete(key)
}
