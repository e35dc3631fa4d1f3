import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import module, { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import v8 from "node:v8"
import type { Attack } from "../attempt.ts"

const require = createRequire(import.meta.url)
const here = import.meta.dirname

/** Reading what is not its own, and writing at all. */
export const files: Record<string, Attack> = {
  "read a file": (path: string) => readFileSync(path, "utf8"),
  "list a folder": (path: string) => readdirSync(path),
  "look whether a file is there": (path: string) => statSync(path).size,
  "read the environment of its parent": () => readFileSync(`/proc/${process.ppid}/environ`, "utf8"),
  "read its own open files": () => readdirSync("/proc/self/fd"),
  "read its environment": () => Object.keys(process.env),
  "load a file as environment": (path: string) => process.loadEnvFile(path),
  "require a file": (path: string) => require(path) as unknown,
  "import a file": async (path: string) => (await import(path, { with: { type: "json" } })) as unknown,
  "go up by a path": () => readFileSync(`${here}/../../../../../package.json`, "utf8"),
  "link out of its folder": () => symlinkSync("/etc/passwd", join(here, "link")),
  "write into its folder": () => writeFileSync(join(here, "written"), "x"),
  "write elsewhere": (path: string) => writeFileSync(path, "x"),
  "write by SQLite": (path: string) => new (require("node:sqlite") as typeof import("node:sqlite")).DatabaseSync(path).exec("CREATE TABLE t (a int)"),
  "attach a file by SQLite": (path: string) =>
    new (require("node:sqlite") as typeof import("node:sqlite")).DatabaseSync(":memory:").exec(`ATTACH '${path}' AS x; CREATE TABLE x.t (a int)`),
  "write its heap": (path: string) => v8.writeHeapSnapshot(path),
  "write its heap when it is full": () => v8.setHeapSnapshotNearHeapLimit(1),
  "write a report": (path: string) => (process.report as typeof process.report).writeReport(path),
  "write a trace": async () => {
    const { createTracing } = require("node:trace_events") as typeof import("node:trace_events")
    createTracing({ categories: ["node.perf", "v8"] }).enable()
    await sleep(300)
  },
  "write by V8's flags": async (path: string) => {
    v8.setFlagsFromString("--trace-turbo")
    v8.setFlagsFromString(`--trace-turbo-path=${path}`)
  },
  "profile itself into a file": () => v8.setFlagsFromString("--prof"),
  "write a compile cache": async (path: string) => {
    const answer = module.enableCompileCache(path)
    if (!existsSync(path)) throw new Error(`no cache: ${answer.status}`)
  },
}
