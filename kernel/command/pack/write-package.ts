import { writeFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Packed } from "./pack.ts"

/** Writes it where it is wanted, else here, under the name that npm would give it. */
export function writePackage({ tarball, hash, fileName, contents }: Packed, out: string | undefined): { file: string; bytes: number; hash: string; id: string; version: string } {
  const file = resolve(out ?? fileName)
  writeFileSync(file, tarball)
  const { id, version } = contents.manifest
  return { file, bytes: tarball.length, hash, id, version }
}
