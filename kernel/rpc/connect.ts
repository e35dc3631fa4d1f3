import { type Caller, hasRole, isError } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Auth, Credentials } from "../auth/auth.ts"
import { fail } from "../failures.ts"
import { localeOf } from "../i18n.ts"
import { unstorableIn } from "../storable.ts"
import { masterTenantId } from "../tenancy.ts"
import type { Connection } from "./connection.ts"
import { parametersFor } from "./parameters.ts"

/** Starts a pairing for a socket that shows no credential; the socket may then ask for the outcome, and nothing else. Source: wire contract, websocket 2.5. */
export interface Pairing {
  /** Null while nobody offers to pair. */
  request(shown: Credentials): Promise<{ pairing_code: string; sender_id: string } | null>
}

export interface EntryRooms {
  auth: Auth
  /** Absent: a socket without a credential is refused. */
  pairing?: Pairing
  version: string
}

/** Parameters of the first call. Source: wire contract, websocket 2.1. */
export const connectParams = Type.Object({
  token: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String({ maxLength: 255 })),
  sender_id: Type.Optional(Type.String({ maxLength: 255 })),
  locale: Type.Optional(Type.String()),
  tenant_id: Type.Optional(Type.String()),
  tenant_hint: Type.Optional(Type.String()),
  tenant_scope: Type.Optional(Type.String()),
  profile: Type.Optional(Type.String()),
})
const decl = { params: connectParams }

/** Who comes in, as what, and the payload that tells it. No caller: a pairing is pending. Takes effect by the hand of who called. */
export async function connect(connection: Connection, given: Record<string, unknown>, rooms: EntryRooms): Promise<{ caller?: Caller; cliProfile: boolean; payload: object }> {
  // The command-line client of today says nothing of a protocol or a language. Source: wire contract, websocket 8.
  const silent = given.locale === undefined && given.protocolVersion === undefined && given.protocol === undefined
  connection.locale = localeOf(given.locale)
  // No key looks like this: whatever else is wrong with the call, it is a wrong token.
  if (typeof given.token === "string" && unstorableIn(given.token)) throw fail("unauthenticated")
  const params = parametersFor(decl)(given) as Static<typeof connectParams>
  const cliProfile = params.profile === "cli" || (silent && (params.user_id === "cli" || params.user_id === "cli-user"))
  const shown: Credentials = {
    token: params.token || undefined,
    userId: params.user_id || undefined,
    senderId: params.sender_id || undefined,
    tenantRefs: [params.tenant_id, params.tenant_hint, params.tenant_scope].filter((ref): ref is string => Boolean(ref)),
    locale: connection.locale,
    address: connection.address,
  }
  const server = { name: "goclaw", version: rooms.version }
  const { caller, pending } = await resolve(shown, rooms)
  connection.senderId = pending?.sender_id ?? (caller?.via === "pairing" ? shown.senderId : undefined)
  if (!caller) return { cliProfile, payload: { protocol: 3, status: "pending_pairing", ...pending, server } }
  // Known before anything else is waited for, so that a key which ends meanwhile finds its socket.
  connection.entrant = caller
  const tenant = await rooms.auth.tenant(caller.tenantId)
  if (connection.dismissed) throw fail("unauthenticated")
  return { caller, cliProfile, payload: { ...greeting(caller), ...(tenant && { tenant_name: tenant.name, tenant_slug: tenant.slug }), server } }
}

async function resolve(shown: Credentials, { auth, pairing }: EntryRooms): Promise<{ caller?: Caller; pending?: { pairing_code: string; sender_id: string } }> {
  try {
    return { caller: await auth.resolve(shown) }
  } catch (error) {
    const pending = pairing && !shown.token && isError(error, "kernel.unauthenticated") ? await pairing.request(shown) : null
    if (pending) return { pending }
    throw error
  }
}

/** Source: wire contract, websocket 2.3. */
function greeting(caller: Caller) {
  const owner = hasRole(caller, "owner")
  return {
    protocol: 3,
    role: caller.role,
    user_id: caller.userId,
    tenant_id: caller.tenantId,
    is_owner: owner,
    is_master_scope: owner || caller.tenantId === masterTenantId,
    cross_tenant: owner,
    edition: "standard",
  }
}
