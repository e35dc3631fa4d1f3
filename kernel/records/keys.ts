import { hash, randomBytes, randomUUIDv7 } from "node:crypto"
import { type ApiKey, type Caller, hasRole, type KeysService, type NewApiKey, roles, row, type Scope, scopes, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { isScope, mayGrant, roleOf } from "../auth/powers.ts"
import type { Database, KernelTx } from "../db/database.ts"
import { fail } from "../failures.ts"

const NullableText = Type.Union([Type.String(), Type.Null()])
const KeyRow = Type.Object({
  id: Type.String(),
  tenant_id: NullableText,
  name: Type.String(),
  prefix: Type.String(),
  scopes: Type.Array(Type.Enum([...scopes])),
  owner_id: NullableText,
  expires_at: NullableText,
  last_used_at: NullableText,
  revoked: Type.Boolean(),
  created_by: Type.String(),
  created_at: Type.String(),
  updated_at: Type.String(),
})
const columns = sql.fragment`id, tenant_id, name, prefix, scopes, owner_id, expires_at, last_used_at, revoked, created_by, created_at, updated_at`

/** A hundred years, in seconds: an expiry beyond it is as good as none, and a later one would leave the calendar of PostgreSQL. */
const longestLife = 3_155_760_000
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** API keys over the kernel's own tables. Rules: wire contract, http-core 4. */
export function createKeysService({ db }: { db: Database }): KeysService {
  return {
    async list(caller, limit, offset) {
      const rows = await db.kernel.any(sql.type(row(KeyRow))`
        SELECT ${columns} FROM kernel.api_keys WHERE ${visibleTo(caller)}
        ORDER BY created_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`)
      return rows.map(publicKey)
    },

    async create(caller, input) {
      const granted = grantedScopes(caller, input.scopes)
      const key = `goclaw_${randomBytes(16).toString("hex")}`
      const made = await db.kernel.transaction(async (tx) => {
        const tenantId = await tenantOfNewKey(tx, caller, input.tenant_id)
        const inserted = await tx.one(sql.type(row(KeyRow))`
          INSERT INTO kernel.api_keys (id, tenant_id, name, prefix, key_hash, scopes, owner_id, expires_at, created_by)
          VALUES (${randomUUIDv7()}, ${tenantId}, ${input.name}, ${key.slice(0, 8)}, ${hash("sha256", key, "hex")}, ${sql.array(granted, "text")},
            ${input.owner_id || null}, ${expiry(input.expires_in)}, ${caller.userId})
          RETURNING ${columns}`)
        tx.audit(caller, { action: "api_key.created", entityType: "api_key", entityId: inserted.id, details: { name: input.name, scopes: granted } })
        tx.publish("kernel.key_created", { keyId: inserted.id }, caller.tenantId)
        return inserted
      })
      return { ...publicKey(made), key }
    },

    async revoke(caller, id) {
      const keyId = id.toLowerCase()
      if (!uuid.test(keyId)) throw fail("unknown_key")
      await db.kernel.transaction(async (tx) => {
        const present = await tx.maybeOne(sql.type(row(KeyRow))`SELECT ${columns} FROM kernel.api_keys WHERE id = ${keyId} AND ${visibleTo(caller)} FOR UPDATE`)
        if (!present) throw fail("unknown_key")
        const role = roleOf(present.scopes)
        if (roles.indexOf(role) > roles.indexOf(caller.role)) throw fail("forbidden", { role })
        if (present.revoked) return
        await tx.query(sql.type(row(Type.Object({})))`UPDATE kernel.api_keys SET revoked = true, updated_at = now() WHERE id = ${keyId}`)
        tx.audit(caller, { action: "api_key.revoked", entityType: "api_key", entityId: keyId, details: { name: present.name } })
        tx.publish("kernel.key_revoked", { keyId }, caller.tenantId)
      })
    },
  }
}

/** Keys of the whole gateway are shown to owners only. */
function visibleTo(caller: Caller) {
  return hasRole(caller, "owner") ? sql.fragment`(tenant_id = ${caller.tenantId} OR tenant_id IS NULL)` : sql.fragment`tenant_id = ${caller.tenantId}`
}

/** Each once. Nobody gives away what they do not have: `kernel.beyond_creator` names the scope. */
function grantedScopes(caller: Caller, asked: NewApiKey["scopes"]): Scope[] {
  const granted = new Set<Scope>()
  for (const scope of asked) {
    if (!isScope(scope)) throw fail("unknown_scope", { scope, known: scopes.join(", ") })
    if (!mayGrant(caller, scope)) throw fail("beyond_creator", { scope })
    granted.add(scope)
  }
  return [...granted]
}

/** Owners name any tenant or, with none, make a key of the whole gateway. Admins with `operator.provision` name any tenant. Everyone else makes keys of their own, whatever they name. */
async function tenantOfNewKey(tx: KernelTx, caller: Caller, named: string | undefined): Promise<string | null> {
  const owner = hasRole(caller, "owner")
  const provisions = hasRole(caller, "admin") && caller.scopes.includes("operator.provision")
  if (!named) return owner ? null : caller.tenantId
  if (!owner && !provisions) return caller.tenantId
  const id = named.toLowerCase()
  const tenant = uuid.test(id) ? await tx.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM kernel.tenants WHERE id = ${id}`) : null
  if (!tenant) throw fail("unknown_tenant", { tenant: named })
  return tenant.id
}

function expiry(seconds: number | null | undefined): string | null {
  return seconds && seconds > 0 ? new Date(Date.now() + Math.min(seconds, longestLife) * 1_000).toISOString() : null
}

function publicKey({ owner_id, ...rest }: { owner_id: string | null } & Omit<ApiKey, "owner_id">): ApiKey {
  return { ...rest, ...(owner_id !== null && { owner_id }) }
}
