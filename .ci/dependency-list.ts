import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
/** Committed and reviewed: one package a line, with what makes it worth a second look. */
export const listPath = join(import.meta.dirname, "dependencies.txt")

interface Locked {
  version?: string
  dev?: boolean
  optional?: boolean
  link?: boolean
  resolved?: string
  integrity?: string
  hasInstallScript?: boolean
}

/** Every package that the lock file would install, by path. */
export function locked(): [path: string, entry: Locked][] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, Locked> }
  return Object.entries(packages).filter(([path]) => path.includes("node_modules/"))
}

/** `name`, then `dev` for what a gateway does not run, then `install script` for what runs code when it is installed. */
export function dependencyList(): string {
  const marks = new Map<string, { dev: boolean; script: boolean }>()
  for (const [path, entry] of locked()) {
    if (entry.link) continue
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)
    const known = marks.get(name) ?? { dev: true, script: false }
    marks.set(name, { dev: known.dev && entry.dev === true, script: known.script || entry.hasInstallScript === true })
  }
  const lines = [...marks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { dev, script }]) => [name, dev && "dev", script && "install script"].filter(Boolean).join("  "))
  return `${lines.join("\n")}\n`
}

if (import.meta.main) writeFileSync(listPath, dependencyList())
