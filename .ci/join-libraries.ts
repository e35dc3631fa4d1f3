import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { rolldown } from "rolldown"
import { joinedFile, joinedName, libraries } from "../kernel/command/libraries.ts"
import { cacheFolder } from "../kernel/db/embedded/template.ts"

/** Joins the libraries of many small files, for kernel/command/libraries.ts. */
export async function joinLibraries(place = cacheFolder): Promise<void> {
  const folder = join(place, joinedName())
  const aside = `${folder}.part`
  const bundle = await rolldown({
    input: Object.fromEntries(libraries.map((library) => [basename(joinedFile(library), ".js"), library])),
    // The kernel has it from where it is.
    external: /^pg(\/|$)/,
    platform: "node",
  })
  rmSync(aside, { recursive: true, force: true })
  const { output } = await bundle.write({ dir: aside, format: "esm", chunkFileNames: "part-[hash].js" })
  await bundle.close()
  const files = output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : [])).filter((id) => existsSync(id))
  const packages = new Set(files.map((file) => dirname(findPackageJSON(pathToFileURL(file).href) as string)))
  writeFileSync(join(aside, "LICENSES.txt"), [...packages].sort().map(licenseOf).join("\n\n"))
  // Moved when it is whole, so that a build that is cut off leaves no half.
  rmSync(folder, { recursive: true, force: true })
  renameSync(aside, folder)
}

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>
  const texts = globSync("{LICENSE,LICENCE,license}*", { cwd: folder }).map((file) => readFileSync(join(folder, file), "utf8"))
  return [`${name} ${version}, ${license}`, ...texts].join("\n\n")
}
