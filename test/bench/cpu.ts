import { readdirSync, readFileSync } from "node:fs"

/** Linux counts process times in ticks of 10 ms. */
const msPerTick = 10

/** CPU time of a process with all its threads, in ms; 0 once it is gone. `reaped` adds its ended children. Source: proc(5). */
export function cpuMs(pid: number, reaped = false): number {
  const fields = statOf(pid)
  if (!fields) return 0
  // After the name come state (3rd field of the file), ppid (4th) and so on; utime is the 14th.
  const ticks = Number(fields[11]) + Number(fields[12]) + (reaped ? Number(fields[13]) + Number(fields[14]) : 0)
  return ticks * msPerTick
}

/** CPU time of a process and everything below it, in ms: a PostgreSQL server is its postmaster and a process per connection. */
export function treeCpuMs(root: number): number {
  return [root, ...childrenOf(root)].reduce((sum, pid) => sum + cpuMs(pid, pid === root), 0)
}

export function residentMiB(pid: number): number {
  const line = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m)
  return Number(line?.[1] ?? 0) / 1024
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)?.[1] ?? 0)
}

/** Everything below a process. */
export function descendantsOf(root: number): number[] {
  return childrenOf(root).flatMap((pid) => [pid, ...descendantsOf(pid)])
}

function childrenOf(root: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === root)
}

function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}
