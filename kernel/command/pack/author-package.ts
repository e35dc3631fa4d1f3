import { existsSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { PackageError } from "../../packages/package-error.ts"

/** What an author's package.json says of packing. */
export interface AuthorPackage {
  name: string | undefined
  /** Members that the package keeps. */
  kept: Readonly<Record<string, unknown>>
  dependencies: Readonly<Record<string, string>>
  /** What npm would pack; undefined: everything that is no tool or test. */
  files: readonly string[] | undefined
  /** True: a build script of the author's writes the JavaScript. */
  isBuilt: boolean
  /** Folder of the JavaScript, from the package's own: empty, or `dist` and the like. */
  entryFolder: string
}

interface PackageJson extends Record<string, unknown> {
  name?: string
  main?: string
  exports?: unknown
  files?: string[]
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
}

const keptMembers = ["description", "license", "author", "homepage", "repository"]

export function readAuthorPackage(folder: string): AuthorPackage {
  const path = join(folder, "package.json")
  const found = existsSync(path) ? parse(path) : {}
  const entry = typeof found.exports === "string" ? found.exports : (mainOf(found.exports) ?? found.main ?? "")
  const within = dirname(normalize(entry))
  if (within.startsWith("..")) throw new PackageError(`its entry ${entry} lies outside of its folder`, "Correct exports or main in its package.json.")
  return {
    name: found.name,
    kept: Object.fromEntries(keptMembers.filter((name) => name in found).map((name) => [name, found[name]])),
    dependencies: found.dependencies ?? {},
    files: found.files,
    isBuilt: found.scripts?.build !== undefined,
    entryFolder: within === "." ? "" : within,
  }
}

function parse(path: string): PackageJson {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as PackageJson
  } catch (error) {
    throw new PackageError(`its package.json is not JSON: ${(error as Error).message}`, "Correct it, then pack again.", error)
  }
}

function mainOf(exports: unknown): string | undefined {
  if (typeof exports !== "object" || exports === null) return undefined
  const { ".": main, import: imported, default: fallback } = exports as Record<string, unknown>
  for (const one of [main, imported, fallback]) {
    const found = typeof one === "string" ? one : mainOf(one)
    if (found !== undefined) return found
  }
  return undefined
}
