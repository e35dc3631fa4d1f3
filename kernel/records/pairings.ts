import { randomBytes, randomUUIDv7 } from "node:crypto"
import { type Caller, type NewPairing, type PairedDevice, type PairingsService, row, sql } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { type Static, Type } from "typebox"
import { atMost } from "../at-most.ts"
import type { Database, KernelTx } from "../db/database.ts"
import { fail } from "../failures.ts"

/** Without I, O, 0 and 1, which are mistaken for each other. Source, also of the numbers below: wire contract, websocket 2.5. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
const waitingMost = 3
/** Wrong codes that one user may try in ten minutes. The wait that is told is all of these: two refusals then look alike, whatever was asked for. */
const missesMost = 10
const missesMs = 600_000

const PairingRow = Type.Object({
  sender_id: Type.String(),
  channel: Type.String(),
  chat_id: Type.String(),
  account_id: Type.String(),
  code: Type.Union([Type.String(), Type.Null()]),
  status: Type.Enum(["pending", "approved"]),
  paired_by: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.String(),
  approved_at: Type.Union([Type.String(), Type.Null()]),
  expires_at: Type.String(),
})
type PairingRow = Static<typeof PairingRow>
const columns = sql.fragment`sender_id, channel, chat_id, account_id, code, status, paired_by, created_at, approved_at, expires_at`
const Nothing = row(Type.Object({}))
const Count = row(Type.Object({ count: Type.Integer() }))

/** Pairings over the kernel's own table. Rules: wire contract, websocket 2.5 and 4.9. */
export function createPairingsService({ db }: { db: Database }): PairingsService {
  const misses = new LRUCache<string, number>({ ...atMost(10_000), ttl: missesMs, noUpdateTTL: true })
  /** Counted before it is known to be wrong, so that many at once are no way around. */
  async function trying<T>({ tenantId, userId }: Caller, work: () => Promise<T>): Promise<T> {
    const who = `${tenantId}\n${userId}`
    const tried = misses.get(who) ?? 0
    if (tried >= missesMost) throw fail("rate_limited", {}, { retryAfterMs: missesMs })
    misses.set(who, tried + 1)
    const value = await work()
    misses.set(who, Math.max(0, (misses.get(who) ?? 1) - 1))
    return value
  }
  return {
    request: (caller, wanted) =>
      db.kernel.transaction(async (tx) => {
        // One at a time in a tenant, so that the limit holds.
        await tx.query(sql.type(Nothing)`SELECT 1 FROM kernel.tenants WHERE id = ${caller.tenantId} FOR NO KEY UPDATE`)
        await tx.query(sql.type(Nothing)`DELETE FROM kernel.pairings WHERE tenant_id = ${caller.tenantId} AND expires_at <= now()`)
        return { code: (await waitingCode(tx, caller, wanted)) ?? (await newCode(tx, caller, wanted)) }
      }),

    approve: (caller, code, approvedBy) =>
      trying(caller, () =>
        db.kernel.transaction(async (tx) => {
          const paired = await tx.maybeOne(sql.type(row(PairingRow))`
          UPDATE kernel.pairings SET status = 'approved', code = NULL, paired_by = ${approvedBy}, approved_at = now(), expires_at = now() + interval '30 days'
          WHERE ${waits(caller, code)} RETURNING ${columns}`)
          if (!paired) throw fail("unknown_pairing")
          tellResolved(tx, caller, "approved", paired, code)
          return pairedOf(paired)
        }),
      ),

    deny: (caller, code) =>
      trying(caller, () =>
        db.kernel.transaction(async (tx) => {
          const denied = await tx.maybeOne(sql.type(row(PairingRow))`DELETE FROM kernel.pairings WHERE ${waits(caller, code)} RETURNING ${columns}`)
          if (!denied) throw fail("unknown_pairing")
          tellResolved(tx, caller, "denied", denied, code)
        }),
      ),

    async list(caller) {
      const rows = await db.kernel.any(sql.type(row(PairingRow))`
        SELECT ${columns} FROM kernel.pairings WHERE tenant_id = ${caller.tenantId} AND expires_at > now() ORDER BY created_at DESC, id DESC LIMIT 1000`)
      return { pending: rows.filter(({ status }) => status === "pending").map(pendingOf), paired: rows.filter(({ status }) => status === "approved").map(pairedOf) }
    },

    revoke: (caller, senderId, channel) =>
      db.kernel.transaction(async (tx) => {
        const { rows } = await tx.query(sql.type(row(PairingRow))`
          DELETE FROM kernel.pairings WHERE tenant_id = ${caller.tenantId} AND sender_id = ${senderId} AND channel = ${channel} AND status = 'approved' RETURNING ${columns}`)
        const [revoked] = rows
        if (!revoked) throw fail("unknown_pairing")
        tellResolved(tx, caller, "revoked", revoked, senderId)
      }),

    async status(senderId) {
      const found = await db.kernel.maybeOne(sql.type(row(PairingRow))`
        SELECT ${columns} FROM kernel.pairings WHERE channel = 'browser' AND sender_id = ${senderId} AND expires_at > now()`)
      return found?.status ?? "expired"
    },
  }
}

function waits(caller: Caller, code: string) {
  return sql.fragment`tenant_id = ${caller.tenantId} AND code = ${code.trim().toUpperCase()} AND status = 'pending' AND expires_at > now()`
}

async function waitingCode(tx: KernelTx, caller: Caller, { senderId, channel, accountId }: NewPairing): Promise<string | null> {
  const present = await tx.maybeOne(sql.type(row(PairingRow))`
    SELECT ${columns} FROM kernel.pairings WHERE tenant_id = ${caller.tenantId} AND channel = ${channel} AND account_id = ${accountId} AND sender_id = ${senderId}`)
  if (present?.status === "approved") throw fail("already_paired")
  return present?.code ?? null
}

async function newCode(tx: KernelTx, caller: Caller, { senderId, channel, chatId, accountId }: NewPairing): Promise<string> {
  const { count } = await tx.one(sql.type(Count)`
    SELECT count(*) AS count FROM kernel.pairings WHERE tenant_id = ${caller.tenantId} AND channel = ${channel} AND account_id = ${accountId} AND status = 'pending'`)
  if (count >= waitingMost) throw fail("pairings_full", { most: waitingMost })
  const code = Array.from(randomBytes(8), (byte) => alphabet[byte % alphabet.length]).join("")
  const { rowCount } = await tx.query(sql.type(Nothing)`
    INSERT INTO kernel.pairings (id, tenant_id, channel, sender_id, account_id, chat_id, user_id, code, expires_at)
    VALUES (${randomUUIDv7()}, ${caller.tenantId}, ${channel}, ${senderId}, ${accountId}, ${chatId}, ${caller.userId || null}, ${code}, now() + interval '60 minutes')
    ON CONFLICT DO NOTHING`)
  // A browser's id that is in use elsewhere is nobody's business here.
  if (rowCount === 0) throw fail("already_paired")
  tx.publish("device.pair.requested", { code, sender_id: senderId, channel, chat_id: chatId }, caller.tenantId)
  return code
}

function tellResolved(tx: KernelTx, caller: Caller, action: "approved" | "denied" | "revoked", { sender_id, channel }: PairingRow, entityId: string): void {
  tx.audit(caller, { action: `pairing.${action}`, entityType: "pairing", entityId, details: { sender_id, channel } })
  tx.publish("kernel.pairing_changed", { senderId: sender_id, channel, action }, caller.tenantId)
  tx.publish("device.pair.resolved", { action, sender_id, channel }, caller.tenantId)
}

function pendingOf({ code, sender_id, channel, chat_id, account_id, created_at, expires_at }: PairingRow) {
  return { code: code ?? "", sender_id, channel, chat_id, account_id, created_at: Date.parse(created_at), expires_at: Date.parse(expires_at) }
}

function pairedOf({ sender_id, channel, chat_id, approved_at, created_at, paired_by }: PairingRow): PairedDevice {
  return { sender_id, channel, chat_id, paired_at: Date.parse(approved_at ?? created_at), paired_by: paired_by ?? "" }
}
