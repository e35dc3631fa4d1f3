import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"

interface Holder {
  pid: number
  /** When that process began, so that another program with a recycled number is not taken for it. */
  started: string
  /** Another machine, or container, has process numbers of its own. */
  host: string
}

/** Its message says by whom. */
export class FolderHeld extends Error {}

/** A holder on another machine shows that it lives by touching its file. Milliseconds. */
const touchEveryMs = 5_000
const silentAfterMs = 20_000

/**
 * Holds a data folder for this process; returns the way to let go of it. PostgreSQL's own lock does not work in WebAssembly, and two processes on one folder destroy it.
 * A lock whose holder was killed is taken over.
 */
export function lockFolder(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, "gateway.lock")
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid), host: hostname() } satisfies Holder)
  try {
    writeFileSync(path, mine, { flag: "wx", mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    const holder = read(path) ?? readLater(path)
    if (holder && lives(holder, path)) throw heldBy(holder, dataDir)
    takeOver(path, mine, dataDir)
  }
  const touch = setInterval(() => touchFile(path), touchEveryMs)
  touch.unref()
  return () => {
    clearInterval(touch)
    if (JSON.stringify(read(path)) === mine) rmSync(path, { force: true })
  }
}

/** Two processes may find the same abandoned lock. Each puts its own in place at once, and the last one has it: whoever then reads another's steps back. */
function takeOver(path: string, mine: string, dataDir: string): void {
  const aside = `${path}.${process.pid}`
  writeFileSync(aside, mine, { mode: 0o600 })
  renameSync(aside, path)
  const holder = readLater(path)
  if (!holder || JSON.stringify(holder) !== mine) throw heldBy(holder, dataDir)
}

function heldBy(holder: Holder | undefined, dataDir: string): FolderHeld {
  const who = !holder ? "another process" : holder.host === hostname() ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`
  return new FolderHeld(`The data folder ${dataDir} is in use by ${who}.`)
}

function lives(holder: Holder, path: string): boolean {
  // A gateway of this same process (tests start several) holds its folder as any other would.
  if (holder.host === hostname()) return startOf(holder.pid) === holder.started
  return Date.now() - statSync(path).mtimeMs < silentAfterMs
}

function touchFile(path: string): void {
  try {
    const now = new Date()
    utimesSync(path, now, now)
  } catch {
    // Somebody has removed the file, or the folder with it; there is nothing left to hold.
  }
}

/** After the moment that another process may need to write its own. */
function readLater(path: string): Holder | undefined {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  return read(path)
}

/** Undefined for a lock that is being written, or was cut off then. */
function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder
  } catch {
    return undefined
  }
}

/** Empty when the process is gone. */
function startOf(pid: number): string {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return ""
  }
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The 22nd field; the second may hold spaces, in parentheses. Source: proc(5).
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "unknown"
  } catch {
    // No /proc here: a live process of that number counts as the holder.
    return "unknown"
  }
}
