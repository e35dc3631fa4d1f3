import { cpSync, existsSync, readFileSync, realpathSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import semver from "semver"
import { PackageError } from "../../packages/package-error.ts"
import type { AuthorPackage } from "./author-package.ts"

interface Installed {
  name: string
  version: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** The gateway lends these to every plugin. */
const lent = ["@plugboard/sdk"]

/** One package that another needs. */
interface Need {
  name: string
  /** Real folder of the needy one. */
  needy: string
  /** The places above it in the stage, outermost first. */
  above: readonly string[]
}

/** Copies the production dependencies, and theirs, from where they are installed into `node_modules` of the stage. Answers those of the plugin itself, by name and version. */
export function bundleDependencies(folder: string, stage: string, { dependencies }: Pick<AuthorPackage, "dependencies">): Record<string, string> {
  const own = Object.keys(dependencies)
    .filter((name) => !lent.includes(name) && !isLentTypebox(name, dependencies[name] as string))
    .sort()
  // The plugin's own come first: the place at the top is theirs.
  const needs: Need[] = own.map((name) => ({ name, needy: folder, above: [] }))
  for (let need = needs.shift(); need; need = needs.shift()) needs.push(...place(need, stage))
  return Object.fromEntries(own.map((name) => [name, read(join(stage, "node_modules", name)).version]))
}

/** typebox is lent where the plugin has none; one that needs another version brings its own. */
function isLentTypebox(name: string, range: string): boolean {
  return name === "typebox" && semver.satisfies(read(installedAt("typebox", import.meta.dirname) ?? "").version, range)
}

/** Puts it where the one who needs it finds it: at the top, or beside the needy one where another version has that place. Answers what it needs itself. */
function place({ name, needy, above }: Need, stage: string): Need[] {
  const source = installedAt(name, needy)
  if (source === undefined) throw new PackageError(`its dependency ${name} is not installed`, "Run npm install in its folder, then pack again.")
  const { version, dependencies = {}, optionalDependencies = {} } = read(source)
  const placeIn = (holders: readonly string[]) => join(stage, ...holders.flatMap((holder) => ["node_modules", holder]), "node_modules", name)
  // As Node.js looks for it: from the innermost folder outwards.
  const places = [...above.map((_, index) => placeIn(above.slice(0, above.length - index))), placeIn([])]
  const seen = places.find((one) => existsSync(one))
  if (seen !== undefined && read(seen).version === version) return []
  const atTop = !existsSync(placeIn([]))
  const holders = atTop ? [] : above
  cpSync(source, placeIn(holders), { recursive: true, dereference: true, filter: (path) => !relative(source, path).split(sep).includes("node_modules") })
  return Object.keys(dependencies)
    .filter((next) => !lent.includes(next) && (!(next in optionalDependencies) || installedAt(next, source) !== undefined))
    .sort()
    .map((next) => ({ name: next, needy: source, above: [...holders, name] }))
}

/** The real folder of a package as `from` would find it. */
function installedAt(name: string, from: string): string | undefined {
  for (let at = realpathSync(from); ; at = dirname(at)) {
    const place = join(at, "node_modules", name)
    if (existsSync(join(place, "package.json"))) return realpathSync(place)
    if (at === dirname(at)) return undefined
  }
}

function read(folder: string): Installed {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Installed
}
