import { hash as digest } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Queries } from "@plugboard/sdk"
import { PackageError } from "./package-error.ts"
import { tarballOf } from "./store.ts"

export function hashOf(tarball: Uint8Array): string {
  return digest("sha256", tarball, "hex")
}

/** The packages of this node, each unpacked in a folder that is named by its hash and never written again. */
export class UnpackedPackages {
  readonly #db: Queries
  readonly #root: string

  constructor(db: Queries, dataDir: string) {
    this.#db = db
    this.#root = join(dataDir, "packages")
  }

  /** The folder of that package; made when it is not there. Rejects with a PackageError when the database holds something else under that hash. */
  async folderOf(hash: string): Promise<string> {
    const folder = join(this.#root, hash)
    if (existsSync(folder)) return folder
    const tarball = await tarballOf(this.#db, hash)
    if (!tarball || hashOf(tarball) !== hash) throw new PackageError("the database does not hold the package that was agreed to", "Add the plugin again.")
    mkdirSync(this.#root, { recursive: true, mode: 0o755 })
    // Beside its place, and moved there when it is whole: a crash leaves no half of a package that looks like one.
    const fresh = mkdtempSync(join(this.#root, unfinished))
    try {
      const { unpackTarball } = await import("./tarball.ts")
      await unpackTarball(tarball, fresh)
      chmodSync(fresh, 0o755)
      renameSync(fresh, folder)
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true })
      // Another gateway on this data folder may have been faster.
      if (!existsSync(folder)) throw error
    }
    return folder
  }

  /** Removes what belongs to none of `hashes`. Before anything runs: what is replaced later may still be read. */
  clear(hashes: ReadonlySet<string>): void {
    if (!existsSync(this.#root)) return
    for (const name of readdirSync(this.#root)) if (!hashes.has(name)) rmSync(join(this.#root, name), { recursive: true, force: true })
  }
}

const unfinished = ".new-"
