import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ConfigError } from "../../config.ts"

/** Holds a data folder for this process. PostgreSQL's own lock does not work in WebAssembly, and two processes on one folder destroy it. */
export function lockFolder(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, "gateway.lock")
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid) })
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(path, mine, { flag: "wx", mode: 0o600 })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
    const holder = read(path)
    // A gateway of this same process (tests start several) holds its folder as any other would.
    if (holder && startOf(holder.pid) === holder.started && attempt < 3) {
      throw new ConfigError(`The data folder ${dataDir} is in use by process ${holder.pid}. Stop that gateway, set PLUGBOARD_DATA_DIR to another folder, or set DATABASE_URL to share one PostgreSQL.`)
    }
    rmSync(path, { force: true })
  }
}

function read(path: string): { pid: number; started: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch {
    return undefined
  }
}

/** When a process began, so that another program with a recycled number is not taken for the holder; empty when it is gone. */
function startOf(pid: number): string {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return ""
  }
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "unknown"
  } catch {
    // No /proc here: a live process of that number counts as the holder.
    return "unknown"
  }
}
