import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync, realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { constants, setPriority } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { behind, borders } from "./borders.ts"

export interface LaunchOptions {
  /** Folder of the plugin; the only one besides the runtime's that it may read. */
  folder: string
  memoryMiB: number
  /** File to run, and its arguments. */
  script?: string
  args?: readonly string[]
}

export interface Launched {
  readonly input: Writable
  readonly output: Readable
  readonly errors: Readable
  /** Resolves with how it ended. */
  readonly ended: Promise<string>
  /** Bytes that it holds in memory; undefined where the system does not tell. */
  rss(): number | undefined
  kill(): void
}

/** `.ts` in the repository, `.js` in the package: whatever this file is. */
const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js"
const runtime = join(import.meta.dirname, "child", `main${extension}`)

/**
 * Starts a process under Node's permission model: it reads its folder and the runtime, and nothing else of files, network, child processes, workers, addons or the inspector;
 * its environment is empty. What else the system offers stands around it (`borders.ts`).
 */
export async function launch({ folder, memoryMiB, script = runtime, args = [] }: LaunchOptions): Promise<Launched> {
  const own = realpathSync(folder)
  const node = [
    process.execPath,
    "--permission",
    "--disable-sigusr1",
    // Type stripping and the permission model say that they are young; a plugin's output is for what the plugin says.
    "--no-warnings",
    ...withoutModules(),
    `--max-old-space-size=${Math.max(32, Math.round(memoryMiB / 2))}`,
    "--max-semi-space-size=4",
    ...(extension === ".ts" ? ["--conditions=plugboard-source"] : []),
    ...[own, ...readableByAll()].map((path) => `--allow-fs-read=${path}`),
    script,
    ...args,
  ]
  const [command, ...rest] = behind(await borders(), { memoryMiB, readable: [own, ...readableByAll(), process.execPath] }, node) as [string, ...string[]]
  // The PATH finds the wrapping commands; they hand on an empty environment, since `env -i` would be one more process.
  const child = spawn(command, rest, {
    stdio: ["pipe", "pipe", "pipe"],
    env: command === process.execPath ? {} : { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
    detached: true,
    cwd: own,
  })
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`it could not be started: ${error.message}`))
    child.once("exit", (code, signal) => resolve(signal ? `it was ended by ${signal}` : `it exited with code ${code}`))
  })
  // What is written to a process that has gone is lost, which its calls are told by its end.
  child.stdin?.on("error", () => undefined)
  child.once("spawn", () => lower(child))
  return {
    input: child.stdin as Writable,
    output: child.stdout as Readable,
    errors: child.stderr as Readable,
    ended,
    rss: () => rssOf(child),
    kill: () => void child.kill("SIGKILL"),
  }
}

/** Modules that go past the permission model, as far as this Node has them: SQLite opens any file. */
function withoutModules(): string[] {
  const flags = ["sqlite", "ffi", "webstorage"].map((name) => `experimental-${name}`)
  return flags.filter((flag) => process.allowedNodeEnvironmentFlags.has(`--${flag}`)).map((flag) => `--no-${flag}`)
}

/** Its work gives way to the gateway's. Inherited by what the wrapping commands start. */
function lower(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended already.
  }
}

/** Of the process and what it has started: the wrapping command stays above it. */
function rssOf({ pid }: ChildProcess): number | undefined {
  if (pid === undefined || process.platform !== "linux") return undefined
  try {
    const pages = [pid, ...childrenOf(pid)].map((each) => Number(readFileSync(`/proc/${each}/statm`, "utf8").split(" ")[1]))
    return pages.reduce((sum, count) => sum + count, 0) * 4_096
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
}

let readable: readonly string[] | undefined

/** The runtime, the SDK, and the folders of packages in which theirs lie: code that anyone may read. Whole folders, since the search for a package asks for every place that it passes. */
function readableByAll(): readonly string[] {
  readable ??= findReadable()
  return readable
}

function findReadable(): string[] {
  const found = new Set<string>([join(import.meta.dirname, "..")])
  for (const name of ["@plugboard/sdk", "typebox", "@slonik/sql-tag", "lru-cache", "ajv", "ajv-formats"]) {
    const packages = (createRequire(import.meta.filename).resolve.paths(name) ?? []).find((place) => existsSync(join(place, name)))
    if (packages === undefined) continue
    found.add(realpathSync(packages))
    // In the repository the SDK is a link to its folder.
    const own = realpathSync(join(packages, name))
    if (!own.startsWith(realpathSync(packages))) found.add(own)
  }
  return [...found]
}
