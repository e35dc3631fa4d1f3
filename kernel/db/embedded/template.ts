import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

// A new data folder costs PostgreSQL's initdb, which takes seconds as WebAssembly. An archive of a fresh folder takes most of that away:
// the package ships one, and in the repository `npm install` builds one into node_modules/.cache. Without either (`--ignore-scripts`) the first start is slow, and right.

const name = "database-template.tar.gz"
const places = [join(import.meta.dirname, name), join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache", "plugboard", name)]

/** Path of the archive; undefined when there is none. */
export function templateArchive(): string | undefined {
  return places.find((place) => existsSync(place))
}

/** Makes an archive at `path`. */
export async function buildTemplate(path = places[1] as string): Promise<void> {
  const { PGlite } = await import("@electric-sql/pglite")
  const { pg_trgm } = await import("@electric-sql/pglite/contrib/pg_trgm")
  const { unaccent } = await import("@electric-sql/pglite/contrib/unaccent")
  const { vector } = await import("@electric-sql/pglite-pgvector")
  const db = await PGlite.create({ extensions: { vector, pg_trgm, unaccent } })
  await db.exec("CREATE EXTENSION vector; CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent; CHECKPOINT")
  const archive = await db.dumpDataDir("gzip")
  await db.close()
  mkdirSync(dirname(path), { recursive: true })
  // Written aside and moved, so that a build that is cut off leaves no half archive.
  writeFileSync(`${path}.part`, Buffer.from(await archive.arrayBuffer()))
  renameSync(`${path}.part`, path)
}
