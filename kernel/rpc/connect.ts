import { type Caller, hasRole } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Auth } from "../auth/auth.ts"
import { localeOf } from "../i18n.ts"
import { masterTenantId } from "../tenancy.ts"
import { compileValidator } from "../validate.ts"
import type { Connection } from "./connection.ts"

/** Parameters of the first call. Source: wire contract, websocket 2.1. */
const Params = Type.Object({
  token: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String({ maxLength: 255 })),
  sender_id: Type.Optional(Type.String({ maxLength: 255 })),
  locale: Type.Optional(Type.String()),
  tenant_id: Type.Optional(Type.String()),
  tenant_hint: Type.Optional(Type.String()),
  tenant_scope: Type.Optional(Type.String()),
  profile: Type.Optional(Type.String()),
})
const validate = compileValidator(Params, "body")

/** Authenticates a socket, or authenticates it anew as somebody else. Answers the caller and the payload; the caller takes effect by the hand of who called. */
export async function connect(connection: Connection, given: Record<string, unknown>, auth: Auth, version: string): Promise<{ caller: Caller; payload: object }> {
  const params = validate(given, "params") as { [K in keyof typeof Params.properties]?: string }
  connection.locale = localeOf(params.locale)
  const caller = await auth.resolve({
    token: params.token || undefined,
    userId: params.user_id || undefined,
    senderId: params.sender_id || undefined,
    tenantRefs: [params.tenant_id, params.tenant_hint, params.tenant_scope].filter((ref): ref is string => Boolean(ref)),
    locale: connection.locale,
    address: connection.address,
  })
  // The command-line client of today says nothing of a protocol or a language. Source: wire contract, websocket 8.
  const silent = given.locale === undefined && given.protocolVersion === undefined && given.protocol === undefined
  connection.cliProfile = params.profile === "cli" || (silent && (params.user_id === "cli" || params.user_id === "cli-user"))
  const tenant = await auth.tenant(caller.tenantId)
  const owner = hasRole(caller, "owner")
  return {
    caller,
    payload: {
      protocol: 3,
      role: caller.role,
      user_id: caller.userId,
      tenant_id: caller.tenantId,
      ...(tenant && { tenant_name: tenant.name, tenant_slug: tenant.slug }),
      is_owner: owner,
      is_master_scope: owner || caller.tenantId === masterTenantId,
      cross_tenant: owner,
      edition: "standard",
      server: { name: "goclaw", version },
    },
  }
}
