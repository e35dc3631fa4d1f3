import { hash, timingSafeEqual } from "node:crypto"
import type { Caller, Role } from "@plugboard/sdk"
import type { GatewayConfig } from "../config.ts"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import type { Auth, Credentials, TenantFacts } from "./auth.ts"
import { createDirectory, master } from "./directory.ts"
import { createKeyRing, type LiveKey } from "./key-ring.ts"
import { demandAccess, roleByToken } from "./powers.ts"
import { createRateLimit } from "./rate.ts"

export interface AuthDeps {
  config: Pick<GatewayConfig, "token" | "ownerIds" | "rateLimitRpm">
  db: Database
  log: GatewayLog
  /** Brings what commits have changed: `kernel.key_created`, `.key_revoked`, `.tenant_changed`, `.member_changed`, `.pairing_changed`. */
  bus: EventBus
}

/** How every API key looks; anything else cannot be one, and costs the database nothing. Source: wire contract, http-core 4. */
const keyShape = /^goclaw_[0-9a-f]{32}$/
/** Longest user id and sender id, in characters. Source: wire contract, http-core 1.1. */
const longestId = 255

/** The five ways in, in the order of the wire contract (http-core 1.2); the first that matches decides, and no later one can add to it. */
export function createAuth({ config, db, log, bus }: AuthDeps): Auth {
  const keys = createKeyRing({ db, log, bus })
  const directory = createDirectory({ db, bus })
  let limit = { perMinute: config.rateLimitRpm, spend: createRateLimit(config.rateLimitRpm) }
  const gatewayDigest = config.token === undefined ? undefined : Buffer.from(digestOf(config.token))

  async function enterByToken(shown: Credentials, userId: string, via: "token" | "open"): Promise<Caller> {
    const role = roleByToken(config, userId)
    const tenant = (await directory.firstOf(shown.tenantRefs)) ?? master
    if (role !== "owner") await demandMember(tenant, userId)
    return enter(shown, tenant, { userId, role, scopes: [], via })
  }

  async function enterByKey(shown: Credentials, named: string | undefined, key: LiveKey): Promise<Caller> {
    const tenant = key.tenantId === null ? ((await directory.firstOf(shown.tenantRefs)) ?? master) : await directory.byId(key.tenantId)
    // The key may have ended while its tenant was looked up.
    if (tenant === null || keys.ended(key.id)) throw fail("unauthenticated")
    const userId = key.ownerId ?? named ?? `key:${key.id}`
    return enter(shown, tenant, { userId, role: key.role, scopes: key.scopes, via: "key", keyId: key.id, ...(key.ownerId !== null && { userFixed: true }) })
  }

  async function enterByPairing(shown: Credentials, userId: string, pairedTenantId: string): Promise<Caller> {
    const wanted = await directory.firstOf(shown.tenantRefs)
    const tenant = wanted && (await directory.isMember(wanted.id, userId)) ? wanted : await directory.byId(pairedTenantId)
    if (tenant === null) throw fail("unauthenticated")
    return enter(shown, tenant, { userId, role: "operator", scopes: [], via: "pairing" })
  }

  /** Everyone who comes in by token may enter the master tenant, named or not: it is where they are when they name none. */
  async function demandMember(tenant: TenantFacts, userId: string): Promise<void> {
    if (tenant.id !== master.id && !(await directory.isMember(tenant.id, userId))) throw fail("tenant_revoked")
  }

  return {
    async resolve(shown) {
      const named = usableId(shown.userId)
      if (shown.token) {
        const digest = digestOf(shown.token)
        if (gatewayDigest && timingSafeEqual(gatewayDigest, Buffer.from(digest))) return enterByToken(shown, named ?? "system", "token")
        const key = keyShape.test(shown.token) ? await keys.find(digest) : null
        if (key) return enterByKey(shown, named, key)
      }
      if (!gatewayDigest) return enterByToken(shown, named ?? "system", "open")
      const senderId = usableId(shown.senderId)
      const pairedTenantId = senderId && (await directory.pairedTenant(senderId))
      if (senderId && pairedTenantId) return enterByPairing(shown, named ?? senderId, pairedTenantId)
      throw fail("unauthenticated")
    },
    check: demandAccess,
    spend(key) {
      const perMinute = config.rateLimitRpm
      if (limit.perMinute !== perMinute) limit = { perMinute, spend: createRateLimit(perMinute) }
      return perMinute > 0 ? limit.spend(digestOf(key)) : 0
    },
    onKeyRevoked: keys.onEnded,
    tenant: directory.byId,
    tenantNamed: async (refs) => (await directory.firstOf(refs)) ?? master,
    close: keys.close,
  }
}

function enter(shown: Credentials, tenant: TenantFacts, who: { role: Role } & Pick<Caller, "userId" | "scopes" | "via" | "keyId" | "userFixed">): Caller {
  if (tenant.status !== "active" && who.role !== "owner") throw fail("tenant_suspended")
  return { tenantId: tenant.id, tenantSlug: tenant.slug, locale: shown.locale, address: shown.address, ...who }
}

/** Secrets are compared, remembered and looked up by this alone; no text of a client reaches SQL as it came. */
function digestOf(secret: string): string {
  return hash("sha256", secret, "hex")
}

/** PostgreSQL keeps no NUL, and UTF-8 no half of a surrogate pair: an id with one cannot be anybody's. */
function usableId(id: string | undefined): string | undefined {
  return id && id.length <= longestId && !id.includes("\0") && id.isWellFormed() ? id : undefined
}
