import { randomUUID } from "node:crypto"
import type { Role, Scope } from "@plugboard/sdk"
import { openRpc, type RpcClient, type TestGateway } from "@plugboard/sdk/testing"

/** One way to show who one is, as headers and as parameters of `connect`. */
export interface Credential {
  /** For the test's name. */
  way: string
  role: Role
  headers: Record<string, string>
  connect: Record<string, unknown>
}

const scopeOf: Record<Exclude<Role, "owner">, Scope> = { viewer: "operator.read", operator: "operator.write", admin: "operator.admin" }

/** Every way of the wire contract (http-core 1.2) to be each role in the tenant `slug`. */
export async function everyCredential(gateway: TestGateway, slug: string): Promise<Credential[]> {
  const tenantId = await gateway.tenant(slug)
  const token = gateway.token as string
  const owner = await gateway.as("owner", slug)
  const user = `user of ${slug}`
  const makeKey = async (body: object) => (await owner.post("/v1/api-keys", { name: "access", ...body })).body.key as string
  await gateway.executeSql("INSERT INTO kernel.members (id, tenant_id, user_id) VALUES ($1, $2, $3)", [randomUUID(), tenantId, user])
  const senderId = randomUUID()
  await gateway.executeSql(
    "INSERT INTO kernel.pairings (id, tenant_id, channel, sender_id, status, expires_at) VALUES ($1, $2, 'browser', $3, 'approved', now() + interval '1 hour')",
    [randomUUID(), tenantId, senderId],
  )
  const credentials: Credential[] = [
    by("gateway token of an owner", "owner", token, { user: "system", tenant: slug }),
    by("gateway token of a member", "admin", token, { user, tenant: tenantId }),
    { way: "pairing", role: "operator", headers: { "x-goclaw-sender-id": senderId, "x-goclaw-user-id": user }, connect: { sender_id: senderId, user_id: user } },
  ]
  for (const role of ["viewer", "operator", "admin"] as const) {
    const scopes = [scopeOf[role]]
    credentials.push(
      by("key of the tenant", role, await makeKey({ scopes, tenant_id: tenantId }), { user }),
      by("key of the tenant that claims to be the owner", role, await makeKey({ scopes, tenant_id: tenantId }), { user: "system" }),
      by("key of the gateway with a tenant header", role, await makeKey({ scopes }), { user, tenant: slug }),
      by("key with an owner", role, await makeKey({ scopes, tenant_id: tenantId, owner_id: user }), { user: "someone else" }),
    )
  }
  return credentials
}

function by(way: string, role: Role, token: string, { user, tenant }: { user: string; tenant?: string }): Credential {
  return {
    way,
    role,
    headers: { authorization: `Bearer ${token}`, "x-goclaw-user-id": user, ...(tenant && { "x-goclaw-tenant-id": tenant }) },
    connect: { token, user_id: user, ...(tenant && { tenant_id: tenant }) },
  }
}

/** The same credential in each spelling that `connect` takes for the tenant. */
export function connectForms({ connect }: Credential): Record<string, unknown>[] {
  const { tenant_id, ...rest } = connect
  if (tenant_id === undefined) return [connect]
  return [connect, { ...rest, tenant_hint: tenant_id }, { ...rest, tenant_scope: tenant_id }]
}

export async function connected(gateway: TestGateway, params: Record<string, unknown>): Promise<RpcClient> {
  const socket = await openRpc(gateway.url)
  await socket.call("connect", params)
  return socket
}
