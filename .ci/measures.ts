import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startGateway } from "../test/processes.ts"
import { kernelLines } from "./lines-of-code.ts"

/** Prints what the project watches about itself. Nothing here fails a build; the limits that do stand in test/house.test.ts. */
const sources = globSync(["kernel/**/*.ts", "plugin-sdk/**/*.ts", "plugins/**/*.ts"], { exclude: ["**/node_modules/**", "**/dist/**", "**/*.test.ts"] })
const lines = new Map(sources.map((file) => [file, readFileSync(file, "utf8").split("\n").length - 1]))
const sorted = [...lines].sort(([, a], [, b]) => a - b)
const [largest, most] = sorted.at(-1) ?? ["", 0]
const kernel = kernelLines(sources)

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, { dev?: boolean; link?: boolean; optional?: boolean }> }
const installed = Object.entries(lock.packages).filter(([path, entry]) => path.includes("node_modules/") && !entry.link)
const atRuntime = installed.filter(([, entry]) => !entry.dev)

const typeCheckMs = timed(() => execFileSync("tsc", ["-p", "."], { stdio: "ignore" }))
const dataDir = mkdtempSync(join(tmpdir(), "plugboard-measures-"))
try {
  const fresh = await startMs(dataDir)
  const again = await startMs(dataDir)
  print(
    "kernel",
    `${kernel.serving} lines of code (the aim is 6000); apart: records ${kernel.records}, sandbox ${kernel.sandbox}, packages ${kernel.packages}, command ${kernel.command}, upkeep ${kernel.upkeep}`,
  )
  print("source files", `${lines.size}, median ${sorted[Math.floor(sorted.length / 2)]?.[1] ?? 0} lines, largest ${most} (${largest})`)
  print("type check", `${Math.round(typeCheckMs)} ms`)
  print("start, embedded", `${Math.round(fresh)} ms with a new folder, ${Math.round(again)} ms with an old one`)
  print("dependencies", `${atRuntime.length} packages at run time, ${installed.length - atRuntime.length} more for development`)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

async function startMs(folder: string): Promise<number> {
  const gateway = await startGateway({ PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: folder })
  await gateway.stop()
  return gateway.startMs
}

function timed(work: () => void): number {
  const started = performance.now()
  work()
  return performance.now() - started
}

function print(name: string, value: string): void {
  process.stdout.write(`${name.padEnd(16)} ${value}\n`)
}
