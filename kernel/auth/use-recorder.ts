import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import type { GatewayLog } from "../log.ts"

/** When each key was last used: noted in memory, written for all of them at once, off the way of any request. */
export interface UseRecorder {
  record(keyId: string): void
  close(): Promise<void>
}

const writeAfterMs = 10_000

export function createUseRecorder(db: Database, log: GatewayLog): UseRecorder {
  let used = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  async function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const ids = [...used]
    used = new Set()
    if (ids.length === 0) return
    try {
      await db.kernel.query(sql.type(row(Type.Object({})))`UPDATE kernel.api_keys SET last_used_at = now() WHERE id = ANY(${sql.array(ids, "uuid")})`)
    } catch (err) {
      // Not kept for another try: the next use notes the key again.
      log.warn({ err, keys: ids.length }, "last use of keys not written")
    }
  }
  return {
    record(keyId) {
      used.add(keyId)
      timer ??= setTimeout(write, writeAfterMs).unref()
    },
    close: write,
  }
}
