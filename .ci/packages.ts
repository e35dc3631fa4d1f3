import { execFile } from "node:child_process"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")

/** Both packages as they would be published: those that lie in the folder PACKED_PACKAGES, else packed now into `folder`. Paths. */
export async function packedPackages(folder: string): Promise<string[]> {
  const packed = process.env.PACKED_PACKAGES ?? folder
  if (packed === folder) {
    mkdirSync(folder, { recursive: true })
    for (const which of [[], ["-w", "@plugboard/sdk"]]) await run("npm", ["pack", ...which, "--pack-destination", folder], { cwd: root })
  }
  const tarballs = readdirSync(packed).filter((name) => name.endsWith(".tgz"))
  if (tarballs.length !== 2) throw new Error(`two packages were expected in ${packed}: ${tarballs}`)
  return tarballs.map((name) => join(packed, name))
}
