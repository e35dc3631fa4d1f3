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

/** Copies the production dependencies, and theirs, from where they are installed into `node_modules` of the stage. Answers those of the plugin itself, by name and version. */
export function bundleDependencies(folder: string, stage: string, { dependencies }: Pick<AuthorPackage, "dependencies">): Record<string, string> {
  const bundled: Record<string, string> = {}
  for (const [name, range] of Object.entries(dependencies).sort()) {
    if (lent.includes(name) || isLentTypebox(name, range)) continue
    bundled[name] = copy(name, folder, stage, [])
  }
  return bundled
}

/** typebox is lent where the plugin has none; one that needs another version brings its own. */
function isLentTypebox(name: string, range: string): boolean {
  return name === "typebox" && semver.satisfies(read(installedAt("typebox", import.meta.dirname) ?? "").version, range)
}

/** Puts it where the one who needs it finds it: at the top, or beside the needy one where another version has that place. */
function copy(name: string, needy: string, stage: string, above: readonly string[]): string {
  const source = installedAt(name, needy)
  if (source === undefined) throw new PackageError(`its dependency ${name} is not installed`, "Run npm install in its folder, then pack again.")
  const { version, dependencies = {}, optionalDependencies = {} } = read(source)
  // As Node.js looks for it: from the innermost folder outwards.
  const places = above.map((_, index) => join(stage, ...above.slice(0, above.length - index).flatMap((one) => ["node_modules", one]), "node_modules", name))
  const seen = [...places, join(stage, "node_modules", name)].find((place) => existsSync(place))
  if (seen !== undefined && read(seen).version === version) return version
  const outermost = !existsSync(join(stage, "node_modules", name))
  const target = outermost ? join(stage, "node_modules", name) : (places[0] as string)
  cpSync(source, target, {
    recursive: true,
    dereference: true,
    filter: (path) =>
      !relative(source, path)
        .split(sep)
        .some((part) => part === "node_modules" || part === ".bin"),
  })
  const within = outermost ? [name] : [...above, name]
  for (const next of Object.keys(dependencies).sort())
    if (!lent.includes(next) && (next in optionalDependencies === false || installedAt(next, source))) copy(next, source, stage, within)
  return version
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
