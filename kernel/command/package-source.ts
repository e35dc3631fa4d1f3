import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PackageError } from "../packages/package-error.ts"
import { unpackTarball } from "../packages/tarball.ts"
import { runNpm } from "./npm.ts"

/** A name of npm, with or without a version or tag. Nothing that npm could take for an option, an address or a path. */
const npmName = /^(@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*(@[\w.^~*+-]+)?$/

/** The bytes of a package: of a `.tgz` as it is, of a folder packed, of an npm name fetched and packed with its dependencies. */
export async function packageFrom(source: string): Promise<Uint8Array> {
  if (existsSync(source)) return statSync(source).isDirectory() ? packed(source) : readFileSync(source)
  if (/^[./\\~]|\.tgz$/.test(source) || !npmName.test(source)) {
    throw new PackageError(`there is no file or folder ${source}, and npm has no such names`, "Give a .tgz, a folder, or the name of an npm package.")
  }
  return fromNpm(source)
}

async function packed(folder: string, asPacked = false): Promise<Uint8Array> {
  const { packFolder } = await import("./pack/pack.ts")
  return (await packFolder(folder, { asPacked })).tarball
}

/** No script of it or of its dependencies runs: what is fetched is unpacked, and packed again with all that it needs. */
async function fromNpm(name: string): Promise<Uint8Array> {
  const scratch = mkdtempSync(join(tmpdir(), "plugboard-npm-"))
  try {
    await runNpm(["pack", name, "--ignore-scripts", "--silent", "--pack-destination", scratch], scratch)
    const fetched = readdirSync(scratch).find((file) => file.endsWith(".tgz"))
    if (fetched === undefined) throw new PackageError(`npm has fetched nothing for ${name}`, "Check the name, or add a .tgz.")
    const folder = join(scratch, "package")
    await unpackTarball(readFileSync(join(scratch, fetched)), folder)
    await runNpm(["install", "--ignore-scripts", "--omit=dev", "--omit=peer", "--no-audit", "--no-fund", "--no-package-lock"], folder)
    return await packed(folder, true)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
