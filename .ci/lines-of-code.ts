import { readFileSync } from "node:fs"

/** The kernel's room for plugins that are not bundled. What isolates them is counted apart from what serves. */
const sandbox = "kernel/sandbox/"
/** Databases, sockets and gateways for tests alone; no running gateway imports them. */
const testSupport = /(\.test\.ts|\/(scratch|testing)\.ts)$/

/** Lines of code that a gateway runs on, of the files given by their path from the repository's root: of the kernel, and of its sandbox. */
export function kernelLines(files: readonly string[], root = "."): { kernel: number; sandbox: number } {
  const lines = { kernel: 0, sandbox: 0 }
  for (const file of files) {
    if (!file.startsWith("kernel/") || testSupport.test(file)) continue
    lines[file.startsWith(sandbox) ? "sandbox" : "kernel"] += linesOfCode(readFileSync(`${root}/${file}`, "utf8"))
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
