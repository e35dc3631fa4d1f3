import { existsSync, readFileSync } from "node:fs"
import { findPackageJSON, registerHooks } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { cacheFolder } from "../db/embedded/template.ts"

// Six hundred small files of libraries, of which a start needs all, take it a third of its time and 45 MiB. Joined into a few they cost a tenth of that. The package ships the joined
// ones, and in the repository `npm install` makes them in node_modules/.cache. Without them, and beside other versions than they were made of, libraries load as they came.

/** Imported by these names. They share parts, so they are joined together. */
export const libraries = ["typebox", "typebox/value", "typebox/compile", "slonik", "@slonik/driver", "@slonik/sql-tag"]

const packedFolder = import.meta.dirname

/** Its name says of which versions they were made. */
export function joinedName(): string {
  const version = (library: string) => (JSON.parse(readFileSync(findPackageJSON(library, import.meta.url) as string, "utf8")) as { version: string }).version
  return `joined-${version("typebox")}-${version("slonik")}`
}

export function joinedFile(library: string): string {
  return `${library.replace("@", "").replaceAll("/", "-")}.js`
}

/** Imports after this get the joined files, if there are any. */
export function loadJoined(...places: string[]): void {
  const name = joinedName()
  const folder = [...places, packedFolder, cacheFolder].map((place) => join(place, name)).find((path) => existsSync(path))
  if (!folder) return
  const files = new Map(libraries.map((library) => [library, pathToFileURL(join(folder, joinedFile(library))).href]))
  registerHooks({
    resolve(specifier, context, next) {
      const url = context.conditions.includes("import") ? files.get(specifier) : undefined
      return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true }
    },
  })
}
