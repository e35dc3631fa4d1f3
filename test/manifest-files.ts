import { readFileSync } from "node:fs"
import { posix } from "node:path"

const root = new URL("../", import.meta.url)

/** Paths from the root of a plugin's manifest and of the plugin's own files that it imports: all that is loaded of a plugin that is off. */
export function filesOfManifest(plugin: string): string[] {
  const files = [`plugins/${plugin}/manifest.ts`]
  // The list grows while it is read.
  for (const file of files) {
    for (const from of importsOf(file)) {
      const next = posix.join(posix.dirname(file), from)
      if (from.startsWith(".") && !files.includes(next)) files.push(next)
    }
  }
  return files
}

/** What a file imports when it runs; types are gone by then. */
export function importsOf(file: string): string[] {
  const text = readFileSync(new URL(file, root), "utf8")
  return [...text.matchAll(/^(?:import|export) (?!type\b)(?:[^"]*? from )?"([^"]+)"/gm)].map(([, from]) => from as string)
}
