import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { runNpm } from "./npm.ts"

/** The repository that this file lies in; undefined in the installed package, whose code is compiled. */
const repository = import.meta.filename.endsWith(".ts") ? join(import.meta.dirname, "..", "..") : undefined

/** Where a plugin's folder keeps the packages of a gateway that runs from its repository. */
const kept = ".plugboard"

/** Lets `npm install` work in a new plugin's folder that was written from a repository: what is there may be in no registry, so it is packed into the folder. */
export async function bringOwnPackages(folder: string): Promise<void> {
  if (repository === undefined) return
  const place = join(folder, kept)
  mkdirSync(place, { recursive: true })
  for (const which of [[], ["-w", "@plugboard/sdk"]]) await runNpm(["pack", "--silent", "--pack-destination", resolve(place), ...which], repository)
  const file = (begin: RegExp) => `file:${kept}/${readdirSync(place).find((name) => begin.test(name))}`
  const path = join(folder, "package.json")
  const contents = JSON.parse(readFileSync(path, "utf8")) as { devDependencies: Record<string, string> }
  const devDependencies = { ...contents.devDependencies, "@plugboard/sdk": file(/^plugboard-sdk-/), plugboard: file(/^plugboard-\d/) }
  writeFileSync(path, `${JSON.stringify({ ...contents, devDependencies }, null, 2)}\n`)
}
