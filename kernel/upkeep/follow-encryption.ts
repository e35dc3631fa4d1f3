import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { ConfigError } from "../config.ts"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import { encryptionChanged, type KeyRing } from "../key-ring.ts"
import type { GatewayLog } from "../log.ts"

/** Keeps this node's keys up with the database's. Rejects with a ConfigError when they are behind at its start. */
export async function followEncryption(ring: KeyRing, { db, bus, log }: { db: Database; bus: EventBus; log: GatewayLog }): Promise<void> {
  const has = () => ring.keys.map(({ id }) => id).join(", ")
  const current = await db.kernel.maybeOne(sql.type(row(Type.Object({ key: Type.String() })))`SELECT key_id AS key FROM kernel.encryption`)
  if (current && !ring.follow(current.key)) {
    throw new ConfigError(
      `The secrets of this database are sealed with the encryption key ${current.key}, and this node has ${has()} only. Set PLUGBOARD_ENCRYPTION_KEY to that key, or put it first in ${ring.source.file ?? "the key file of its data folder"}. If it is lost: plugboard keys drop ${current.key} --force, then set the secrets again.`,
    )
  }
  bus.subscribe(encryptionChanged, ({ payload }) => {
    const { key } = payload as { key: string }
    if (!ring.follow(key))
      log.error(
        { key, has: has() },
        "this node has not got the newest encryption key: it opens no secret that is sealed with it, and seals none, until the key is in its key file or it was started with it",
      )
  })
}
