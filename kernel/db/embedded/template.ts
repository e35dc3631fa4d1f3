import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { constants, zstdCompressSync } from "node:zlib"

// A new data folder costs PostgreSQL's initdb, which takes seconds as WebAssembly. An archive of a fresh folder takes most of that away:
// the package ships one, and in the repository `npm install` builds one into node_modules/.cache. Without either (`--ignore-scripts`) the first start is slow, and right.

const packedFolder = import.meta.dirname
const cacheFolder = join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache", "plugboard")

/** Path of the archive; undefined when there is none that was made by the PGlite that is installed. */
export function templatePath(): string | undefined {
  return [packedFolder, cacheFolder].map((folder) => join(folder, templateName())).find((path) => existsSync(path))
}

function templateName(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.resolve("@electric-sql/pglite")), "utf8")) as { version: string }
  return `database-${version}.tar.zst`
}

/** Makes an archive in `folder`. */
export async function buildTemplate(folder = cacheFolder): Promise<void> {
  const { PGlite } = await import("@electric-sql/pglite")
  const { extensions } = await import("./extensions.ts")
  const db = await PGlite.create({ extensions })
  // Of the three databases of a fresh folder one is used. The two others are templates for CREATE DATABASE, and most of the files.
  await db.exec("UPDATE pg_database SET datistemplate = false")
  for (const unused of ["template1", "template0"]) await db.exec(`DROP DATABASE ${unused}`)
  await db.exec("CHECKPOINT")
  const archive = await db.dumpDataDir("none")
  await db.close()
  const path = join(folder, templateName())
  mkdirSync(dirname(path), { recursive: true })
  // Written aside and moved, so that a build that is cut off leaves no half archive.
  writeFileSync(`${path}.part`, zstdCompressSync(Buffer.from(await archive.arrayBuffer()), { params: { [constants.ZSTD_c_compressionLevel]: 19 } }))
  renameSync(`${path}.part`, path)
}
