import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { constants, zstdCompressSync } from "node:zlib"
import { PGlite } from "@electric-sql/pglite"
import { extensions } from "../kernel/db/embedded/extensions.ts"
import { bareName, cacheFolder, wholeName } from "../kernel/db/embedded/template.ts"
import { kernelGlobals } from "../kernel/db/kernel-tables.ts"
import { openDatabase } from "../kernel/db/open.ts"
import { createLog, Redactor } from "../kernel/log.ts"
import { bundledPlugins, kernelMigrations } from "../kernel/plugins/discover.ts"

/** Sets what each database has of its own. It is left to do in the archive with tables. */
const ownFile = "0010_fresh.sql"

/** Makes both archives in `folder`. */
export async function buildTemplates(folder = cacheFolder): Promise<void> {
  const bare = await PGlite.create({ extensions })
  // Of the three databases of a fresh folder one is used. The two others are templates for CREATE DATABASE, and most of the files.
  await bare.exec("UPDATE pg_database SET datistemplate = false")
  for (const unused of ["template1", "template0"]) await bare.exec(`DROP DATABASE ${unused}`)
  await archive(bare, join(folder, bareName()))
  const dataDir = mkdtempSync(join(tmpdir(), "plugboard-template-"))
  try {
    await migrateAll(dataDir)
    await archive(await PGlite.create({ dataDir: join(dataDir, "db"), extensions }), join(folder, wholeName()))
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function migrateAll(dataDir: string): Promise<void> {
  const log = createLog({ level: "warn", redactor: new Redactor() })
  const db = await openDatabase({ config: { databaseUrl: undefined, dataDir, poolSize: 1, statementTimeoutMs: 60_000 }, log, checkRows: false })
  try {
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    for (const { manifest, migrations } of await bundledPlugins()) {
      if (migrations) await db.migrate({ id: manifest.id, folder: migrations, globalTables: manifest.globalTables ?? [] })
    }
    await db.executeSql("UPDATE _sandbox.word SET word = ''")
    await db.executeSql("DELETE FROM kernel.migrations WHERE source = 'kernel' AND file = $1", [ownFile])
  } finally {
    await db.close()
  }
}

async function archive(db: PGlite, path: string): Promise<void> {
  await db.exec("CHECKPOINT")
  const bytes = await (await db.dumpDataDir("none")).arrayBuffer()
  await db.close()
  mkdirSync(dirname(path), { recursive: true })
  // Written aside and moved, so that a build that is cut off leaves no half archive.
  writeFileSync(`${path}.part`, zstdCompressSync(Buffer.from(bytes), { params: { [constants.ZSTD_c_compressionLevel]: 19 } }))
  renameSync(`${path}.part`, path)
}
