import { readFileSync } from "node:fs"

/** Parts of the kernel that serve no request: what isolates plugins that are not bundled, what adds and removes them, the command, what manages the kernel's own tables, and rotation of keys, backup and restore. Each is counted apart from what serves. */
const apart = { records: "kernel/records/", sandbox: "kernel/sandbox/", packages: "kernel/packages/", command: "kernel/command/", upkeep: "kernel/upkeep/" } as const
type Part = keyof typeof apart | "serving"
/** Databases, sockets and gateways for tests alone, and folders that authors start from; no running gateway imports them. */
const testSupport = /(\.test\.ts|\/(scratch|testing)\.ts)$|^kernel\/command\/templates\//

/** Lines of code that a gateway runs on, of the files given by their path from the repository's root, by part of the kernel. */
export function kernelLines(files: readonly string[], root = "."): Record<Part, number> {
  const lines: Record<Part, number> = { serving: 0, records: 0, sandbox: 0, packages: 0, command: 0, upkeep: 0 }
  for (const file of files) {
    if (!file.startsWith("kernel/") || testSupport.test(file)) continue
    const part = (Object.keys(apart) as (keyof typeof apart)[]).find((name) => file.startsWith(apart[name])) ?? "serving"
    lines[part] += linesOfCode(readFileSync(`${root}/${file}`, "utf8"))
  }
  return lines
}

/** Lines that are neither blank nor comment. */
function linesOfCode(text: string): number {
  // A comment begins a line of its own here; one behind code does not make the line a comment.
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*$/gm, "")
    .split("\n")
    .filter((line) => !/^\s*(\/\/|$)/.test(line)).length
}
