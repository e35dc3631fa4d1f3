import type { Caller } from "@plugboard/sdk"
import type { EventBus } from "../events.ts"
import { masterTenantId } from "../tenancy.ts"
import type { Connection } from "./connection.ts"
import { Outgoing } from "./outgoing.ts"

/**
 * Closes sockets whose way in is gone: of a member who was removed and of a browser whose pairing was revoked, telling them first, and of a tenant that admits nobody any more. Owners and keys do not come in by a membership.
 * Source: wire contract, websocket 5.3 (`tenant.access.revoked`), http-core 1.2.
 */
export function expelWhoLostAccess(
  bus: EventBus,
  connections: ReadonlySet<Connection>,
  closeWhere: (fits: (caller: Caller, connection: Connection) => boolean, farewell?: Outgoing) => void,
): void {
  bus.subscribe("kernel.member_changed", ({ tenantId, payload }) => {
    const { userId, removed } = payload as { userId: string; removed?: boolean }
    // Whoever comes by token may be in the master tenant, a member or not.
    if (!removed || tenantId === masterTenantId) return
    const byMembership = ({ via, role }: Caller) => role !== "owner" && (via === "token" || via === "open" || via === "pairing")
    // The dashboard of today looks one level too deep.
    const farewell = Outgoing.event("tenant.access.revoked", { user_id: userId, tenant_id: tenantId, payload: { user_id: userId } })
    closeWhere((caller) => caller.tenantId === tenantId && caller.userId === userId && byMembership(caller), farewell)
  })
  bus.subscribe("kernel.tenant_changed", ({ tenantId, payload }) => {
    if ((payload as { closed?: boolean }).closed) closeWhere((caller) => caller.tenantId === tenantId && caller.role !== "owner")
  })
  bus.subscribe("kernel.pairing_changed", ({ payload }) => {
    const { senderId, channel, action } = payload as { senderId: string; channel: string; action: string }
    if (channel !== "browser") return
    const told = Outgoing.event("device.pair.resolved", { action, sender_id: senderId, channel })
    // What is pending hears its own outcome and nothing else.
    for (const connection of connections) if (connection.pending && connection.senderId === senderId) connection.outbound.push(told)
    if (action === "revoked") closeWhere(({ via }, connection) => via === "pairing" && connection.senderId === senderId, told)
  })
}
