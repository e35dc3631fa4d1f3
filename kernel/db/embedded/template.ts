import { hash } from "node:crypto"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { kernelMigrations } from "../../plugins/discover.ts"

// A new data folder costs PostgreSQL's initdb and every migration, which takes seconds as WebAssembly. Archives of fresh folders take most of that away: the package ships them,
// and in the repository `npm install` builds them into node_modules/.cache. Without them (`--ignore-scripts`) the first start is slow, and right.

const packedFolder = import.meta.dirname
export const cacheFolder = join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache", "plugboard")

/**
 * Path of the best archive there is for a new folder; undefined when none was made by the PGlite that is installed.
 * `whole`: all bundled plugins are on, so that it may have the tables of each. One that was made by other migrations than these is none.
 */
export function templatePath(whole: boolean): string | undefined {
  const names = [...(whole ? [wholeName()] : []), bareName()]
  return names.flatMap((name) => [packedFolder, cacheFolder].map((folder) => join(folder, name))).find((path) => existsSync(path))
}

export function bareName(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.resolve("@electric-sql/pglite")), "utf8")) as { version: string }
  return `database-${version}.tar.zst`
}

export function wholeName(): string {
  const root = dirname(kernelMigrations())
  const files = globSync("*/*.sql", { cwd: root }).sort()
  const all = files.map((file) => `${file.replaceAll("\\", "/")}\n${readFileSync(join(root, file), "utf8")}`).join("\n")
  return bareName().replace(".tar", `-${hash("sha256", all, "hex").slice(0, 12)}.tar`)
}
