import { readFileSync } from "node:fs"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import pg from "pg"
import { extensions } from "../../db/embedded/extensions.ts"
import { makeFolder } from "../../db/embedded/folder.ts"
import { templatePath } from "../../db/embedded/template.ts"
import { scratchDatabase } from "../../db/scratch.ts"

/** A database of its own to try texts on, under the owner's rights: embedded, or on the server of TEST_DATABASE_URL. It has the kernel's schema and the extensions. */
export interface ScratchSql {
  run(text: string): Promise<Record<string, unknown>[]>
  /** 15, 18. */
  readonly version: number
  close(): Promise<void>
}

export async function scratchSql(): Promise<ScratchSql> {
  const scratch = await scratchDatabase()
  const client = scratch.databaseUrl ? await onServer(scratch.databaseUrl) : await embedded(join(scratch.dataDir, "pg"))
  for (const name of Object.keys(extensions)) await client.run(`CREATE EXTENSION IF NOT EXISTS ${name}`)
  const kernel = readFileSync(join(import.meta.dirname, "../../../migrations/kernel/0001_kernel.sql"), "utf8")
  await client.run("CREATE SCHEMA kernel")
  await client.run(kernel.replaceAll(/\{\{(app|kernel)\}\}/g, "CURRENT_USER"))
  const [row] = await client.run("SHOW server_version_num")
  return {
    run: client.run,
    version: Math.floor(Number(row?.server_version_num) / 10_000),
    async close() {
      await client.end()
      await scratch.drop()
    },
  }
}

async function onServer(connectionString: string) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  const run = async (text: string) => {
    // A text of several statements has a result for each.
    const results = [await client.query<Record<string, unknown>>(text)].flat()
    return results.at(-1)?.rows ?? []
  }
  return { run, end: () => client.end() }
}

async function embedded(folder: string) {
  await makeFolder(folder, templatePath(false))
  const db = await PGlite.create({ dataDir: folder, extensions })
  return { run: async (text: string) => (await db.exec(text)).at(-1)?.rows ?? [], end: () => db.close() }
}
