import { type Audience, type Caller, hasRole } from "@plugboard/sdk"
import type { LiveEvent } from "../events.ts"
import type { Connection } from "./connection.ts"

/** Authenticated sockets, found by tenant and by user, so that an event does not look at all of them. */
export class Audiences {
  readonly #tenants = new Map<string, Set<Connection>>()
  readonly #admins = new Map<string, Set<Connection>>()
  readonly #users = new Map<string, Set<Connection>>()

  join(connection: Connection): void {
    const { caller } = connection
    if (!caller) return
    add(this.#tenants, caller.tenantId, connection)
    add(this.#users, userKey(caller.tenantId, caller.userId), connection)
    if (hasRole(caller, "admin")) add(this.#admins, caller.tenantId, connection)
  }

  leave(connection: Connection, caller: Caller | undefined): void {
    if (!caller) return
    remove(this.#tenants, caller.tenantId, connection)
    remove(this.#users, userKey(caller.tenantId, caller.userId), connection)
    remove(this.#admins, caller.tenantId, connection)
  }

  /** Who gets an event. Admins get all that leaves the gateway in their tenant, owners what is for owners. Source: wire contract, websocket 5.4. */
  of(event: LiveEvent, audience: Audience): Iterable<Connection> {
    if (audience === "all") return this.#everyone()
    if (audience === "internal" || audience === "socket" || event.tenantId === null) return []
    const admins = this.#admins.get(event.tenantId) ?? nobody
    switch (audience) {
      case "tenant":
        return this.#tenants.get(event.tenantId) ?? nobody
      case "operators":
        return this.#withRole(event.tenantId, "operator")
      case "owners":
        return this.#withRole(event.tenantId, "owner")
      case "admins":
        return admins
      default: {
        const own = event.to?.userId === undefined ? nobody : (this.#users.get(userKey(event.tenantId, event.to.userId)) ?? nobody)
        if (admins.size === 0) return own
        return own.size === 0 ? admins : new Set([...own, ...admins])
      }
    }
  }

  #withRole(tenantId: string, role: "operator" | "owner"): Connection[] {
    return [...(this.#tenants.get(tenantId) ?? nobody)].filter(({ caller }) => caller && hasRole(caller, role))
  }

  *#everyone(): Iterable<Connection> {
    for (const connections of this.#tenants.values()) yield* connections
  }
}

const nobody: ReadonlySet<Connection> = new Set()

function userKey(tenantId: string, userId: string): string {
  return `${tenantId}\n${userId}`
}

function add(map: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const set = map.get(key)
  if (set) set.add(connection)
  else map.set(key, new Set([connection]))
}

function remove(map: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const set = map.get(key)
  if (set?.delete(connection) && set.size === 0) map.delete(key)
}
