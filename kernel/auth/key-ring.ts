import { type Role, row, type Scope, scopes, sql } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { Type } from "typebox"
import { atMost } from "../at-most.ts"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import type { GatewayLog } from "../log.ts"
import { Lookup } from "./lookup.ts"
import { roleOf } from "./powers.ts"
import { createUseRecorder } from "./use-recorder.ts"

/** An API key that may be used now. */
export interface LiveKey {
  id: string
  /** Null: a key of the whole gateway. */
  tenantId: string | null
  /** The only user that it acts for; null: whoever the client names. */
  ownerId: string | null
  role: Role
  scopes: readonly Scope[]
}

export interface KeyRing {
  /** By the digest of the key's text. */
  find(digest: string): Promise<LiveKey | null>
  /** True for a key that ended a short while ago: what was looked up before may still be under way. */
  ended(keyId: string): boolean
  onEnded(listener: (keyId: string) => void): void
  close(): Promise<void>
}

const KeyRow = Type.Object({
  id: Type.String(),
  tenant_id: Type.Union([Type.String(), Type.Null()]),
  owner_id: Type.Union([Type.String(), Type.Null()]),
  scopes: Type.Array(Type.Enum([...scopes])),
  expires_at: Type.Union([Type.String(), Type.Null()]),
})

const minute = 60_000

export function createKeyRing({ db, log, bus }: { db: Database; log: GatewayLog; bus: EventBus }): KeyRing {
  const uses = createUseRecorder(db, log)
  const listeners: ((keyId: string) => void)[] = []
  const endedLately = new LRUCache<string, true>({ ...atMost(10_000), ttl: minute })
  const keys = new Lookup<LiveKey & { expiresAt: number }>({
    max: 10_000,
    ttlMs: 5 * minute,
    missTtlMs: 5_000,
    async load(digest) {
      const found = await db.kernel.maybeOne(sql.type(row(KeyRow))`
        SELECT id, tenant_id, owner_id, scopes, expires_at FROM kernel.api_keys
        WHERE key_hash = ${digest} AND NOT revoked AND (expires_at IS NULL OR expires_at > now())`)
      if (!found) return null
      uses.record(found.id)
      return {
        id: found.id,
        tenantId: found.tenant_id,
        ownerId: found.owner_id,
        role: roleOf(found.scopes),
        scopes: found.scopes,
        expiresAt: found.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(found.expires_at),
      }
    },
  })
  bus.subscribe("kernel.key_created", () => keys.forget(() => false))
  bus.subscribe("kernel.key_revoked", ({ payload }) => {
    const { keyId } = payload as { keyId: string }
    endedLately.set(keyId, true)
    keys.forget((key) => key.id === keyId)
    for (const listener of listeners) listener(keyId)
  })
  return {
    async find(digest) {
      const key = await keys.get(digest)
      return key !== null && key.expiresAt > Date.now() ? key : null
    },
    ended: (keyId) => endedLately.has(keyId),
    onEnded: (listener) => listeners.push(listener),
    close: () => uses.close(),
  }
}
