import { randomUUID } from "node:crypto"
import { mkdir, readdir, rm, stat, statfs } from "node:fs/promises"
import { join } from "node:path"
import { type BackupsService, type Caller, hasRole, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { GatewayConfig } from "../config.ts"
import type { Database } from "../db/database.ts"
import { fail } from "../failures.ts"
import type { KeyRing } from "../key-ring.ts"
import type { GatewayLog } from "../log.ts"

const keepMs = 3_600_000
const Bytes = row(Type.Object({ bytes: Type.Integer() }))

/** Backups of a gateway that serves. What they take is loaded when one is asked for. */
export function createBackups({ db, config, ring, log }: { db: Database; config: GatewayConfig; ring: KeyRing; log: GatewayLog }): BackupsService {
  const folder = join(config.dataDir, "backups")
  const fileOf = (id: string) => join(folder, `${id}.backup`)
  let isUnderWay = false

  /** One at a time: a second copy of the embedded database takes the first one's place. */
  async function alone<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
    if (!hasRole(caller, "owner")) throw fail("backup_for_owners")
    if (isUnderWay) throw fail("backup_under_way")
    isUnderWay = true
    try {
      return await work()
    } finally {
      isUnderWay = false
    }
  }
  const snapshot = async (caller: Caller) => (await import("./snapshot.ts")).takeSnapshot({ db, dataDir: config.dataDir }, caller)

  async function writeTo(path: string, copied: string | null) {
    const [{ backUp }, { openDatabase }] = await Promise.all([import("./backup.ts"), import("../db/open.ts")])
    // A connection of its own, also on a server: its snapshot must begin before anything has been asked on it, and it is busy for long.
    const source = await openDatabase({ config: { ...config, poolSize: 1, ...(copied !== null && { dataDir: copied }) }, log, checkRows: false })
    try {
      return await backUp(source, path, ring, false)
    } finally {
      await source.close()
    }
  }
  /** Those whose time is over, also of a gateway that was here before. */
  async function clear(): Promise<void> {
    for (const name of await readdir(folder).catch(() => [])) {
      const found = await stat(join(folder, name)).catch(() => null)
      if (found && Date.now() - found.mtimeMs > keepMs) await rm(join(folder, name), { force: true })
    }
  }
  return {
    snapshot: (caller) => alone(caller, () => snapshot(caller)),
    async room(caller) {
      if (!hasRole(caller, "owner")) throw fail("backup_for_owners")
      await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
      const { rows } = await db.inside.pool.transaction(({ run }) => run("owner", sql.type(Bytes)`SELECT pg_database_size(current_database())::bigint AS bytes`))
      const { bavail, bsize } = await statfs(config.dataDir)
      return { databaseBytes: rows[0]?.bytes ?? 0, freeBytes: bavail * bsize, dataFolderBytes: await sizeOf(config.dataDir) }
    },
    write: (caller) =>
      alone(caller, async () => {
        await clear()
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const id = randomUUID()
        const path = fileOf(id)
        const { folder: copied } = await snapshot(caller)
        try {
          const done = await writeTo(path, copied)
          await db.kernel.transaction(async (tx) =>
            tx.audit(caller, { action: "backup.taken", entityType: "backup", entityId: id, details: { tables: done.tables, rows: done.rows } }),
          )
          setTimeout(() => void rm(path, { force: true }).catch(() => undefined), keepMs).unref()
          return { id, path, bytes: (await stat(path)).size, ...done }
        } finally {
          if (copied !== null) await rm(copied, { recursive: true, force: true })
        }
      }),
    async find(caller, id) {
      if (!hasRole(caller, "owner")) throw fail("backup_for_owners")
      await clear()
      const isId = /^[0-9a-f-]{36}$/.test(id)
      return isId && (await stat(fileOf(id)).catch(() => null)) ? fileOf(id) : null
    },
  }
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0
  // Files come and go under the database's hands.
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0
  }
  return bytes
}
