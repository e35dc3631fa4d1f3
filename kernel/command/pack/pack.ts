import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { type Contents, checkContents, contentsFile, contentsFormat } from "../../packages/contents.ts"
import { PackageError } from "../../packages/package-error.ts"
import { hashOf } from "../../packages/unpacked.ts"
import { sdkVersion } from "../../plugins/manifest-check.ts"
import { printManifest } from "../../sandbox/print-manifest.ts"
import { runNpm } from "../npm.ts"
import { type AuthorPackage, readAuthorPackage } from "./author-package.ts"
import { bundleDependencies } from "./dependencies.ts"
import { filesOf } from "./files.ts"
import { asJavaScript } from "./javascript.ts"
import { tarballOf } from "./write-tarball.ts"

export interface Packed {
  tarball: Buffer
  hash: string
  contents: Contents
  /** As npm names a package's file. */
  fileName: string
}

export interface PackOptions {
  /** True: runs the build script of its package.json, as the author does. Of somebody else's folder nothing is run. */
  build?: boolean
  /** True: its `plugboard.json` counts, where it has one; whoever fetched it has not changed its manifest. */
  asPacked?: boolean
}

/** A self-contained package of a plugin's folder: JavaScript, production dependencies, `plugboard.json`. The same folder gives the same bytes. Nothing of it is imported here. */
export async function packFolder(path: string, options: PackOptions = {}): Promise<Packed> {
  const folder = resolve(path)
  if (!existsSync(folder)) throw new PackageError(`there is no folder ${folder}`, "Give the folder of a plugin, such as one that `plugboard plugins create` makes.")
  const author = readAuthorPackage(folder)
  if (options.build && author.isBuilt) await runNpm(["run", "build", "--silent"], folder)
  const stage = mkdtempSync(join(tmpdir(), "plugboard-pack-"))
  try {
    // The manifest is printed by a process that may have no rights but those of everyone.
    chmodSync(stage, 0o755)
    return await packStage(folder, stage, author, options)
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

async function packStage(folder: string, stage: string, author: AuthorPackage, { asPacked }: PackOptions): Promise<Packed> {
  for (const file of filesOf(folder, author)) {
    const { path, bytes } = asJavaScript(file, readFileSync(join(folder, file)), author.isBuilt)
    if (path !== file && existsSync(join(folder, path)))
      throw new PackageError(`${file} would become ${path}, which is there already`, "Remove one of the two, or add a build script that writes JavaScript.")
    write(join(stage, path), bytes)
  }
  const bundled = bundleDependencies(folder, stage, author)
  const packed = join(folder, contentsFile)
  const contents = asPacked && existsSync(packed) ? checkContents(JSON.parse(readFileSync(packed, "utf8"))) : await contentsOf(folder, stage, author)
  const { id, version } = contents.manifest
  const name = author.name ?? `plugboard-plugin-${id}`
  write(join(stage, contentsFile), text(contents))
  write(
    join(stage, "package.json"),
    text({ ...author.kept, name, version, type: "module", plugboard: `./${contentsFile}`, dependencies: bundled, bundleDependencies: Object.keys(bundled) }),
  )
  const tarball = await tarballOf(stage)
  return { tarball, hash: hashOf(tarball), contents, fileName: `${name.replace("@", "").replace("/", "-")}-${version}.tgz` }
}

/** Checked as a gateway will check it, so that its author hears of it first. */
async function contentsOf(folder: string, stage: string, author: AuthorPackage): Promise<Contents> {
  const { manifest, entry } = await printManifest(stage, author.entryFolder).catch((error: Error) => {
    throw new PackageError(
      error.message.replaceAll(stage, folder),
      author.isBuilt
        ? "If it is not built yet, this builds and packs it: plugboard plugins pack FOLDER"
        : "Its folder needs an index and a manifest that import nothing but @plugboard/sdk, typebox and files of its own.",
      error,
    )
  })
  return checkContents({ format: contentsFormat, sdk: sdkVersion, entry, manifest })
}

function write(file: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, bytes)
}

function text(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
