import { globSync, lstatSync, readdirSync } from "node:fs"
import { join, sep } from "node:path"
import { PackageError } from "../../packages/package-error.ts"
import type { AuthorPackage } from "./author-package.ts"

/** What is there for its author and not for whoever runs it. */
const tools =
  /(^|\/)(node_modules|test|tests|coverage|data)\/|(^|\/)\.|\.test\.[mc]?[jt]s$|\.d\.[mc]?ts$|\.tgz$|(^|\/)tsconfig[^/]*\.json$|^(package|package-lock|plugboard\.config)\.json$/
/** What belongs to a plugin whatever `files` says: it is read by the gateway. */
const always = ["texts", "migrations", "README.md", "LICENSE", "LICENSE.md", "plugboard.json"]

/** Paths from the folder, with slashes, sorted: the files that make up the package, besides its dependencies. */
export function filesOf(folder: string, { files, isBuilt }: Pick<AuthorPackage, "files" | "isBuilt">): string[] {
  const chosen = files ? [...globSync([...files], { cwd: folder }), ...always.filter((name) => lstatSync(join(folder, name), { throwIfNoEntry: false }))] : readdirSync(folder)
  const found = chosen.flatMap((path) => [...walk(folder, path.split(sep).join("/").replace(/\/$/, ""))])
  return [...new Set(found)].filter((path) => !(isBuilt && /\.[mc]?ts$/.test(path))).sort()
}

function* walk(folder: string, path: string): Generator<string> {
  const stat = lstatSync(join(folder, path))
  if (tools.test(path) || (stat.isDirectory() && tools.test(`${path}/`))) return
  if (stat.isDirectory()) for (const name of readdirSync(join(folder, path))) yield* walk(folder, `${path}/${name}`)
  else if (stat.isFile()) yield path
  else throw new PackageError(`${path} is no plain file`, "Replace links with the files that they lead to, then pack again.")
}
