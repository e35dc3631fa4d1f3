import { randomUUID } from "node:crypto"
import { cp, mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { type Caller, hasRole, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import { fail } from "../failures.ts"

/** For a command beside a gateway on the embedded database: a copy of its files, taken while nothing is written. It opens as a database does that was cut off at that moment. */
export async function takeSnapshot({ db, dataDir }: { db: Database; dataDir: string }, caller: Caller): Promise<{ folder: string | null }> {
  if (!hasRole(caller, "owner")) throw fail("backup_for_owners")
  if (db.kind === "server") return { folder: null }
  const root = join(dataDir, "snapshots")
  const folder = join(root, randomUUID())
  // Of a command that was cut off.
  await rm(root, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // What is in memory goes to the files, so that the copy has little to make up for when it opens.
  await db.executeSql("CHECKPOINT")
  // The one connection is in here: nobody else writes.
  await db.inside.pool.transaction(async ({ run }) => {
    await run("owner", sql.type(row(Type.Object({})))`SELECT 1`)
    await cp(join(dataDir, "db"), join(folder, "db"), { recursive: true })
  })
  await db.kernel.transaction(async (tx) => tx.audit(caller, { action: "backup.snapshot_taken", entityType: "backup", entityId: "snapshot" }))
  return { folder }
}
