import { execFile } from "node:child_process"
import { statSync } from "node:fs"
import { dirname } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

/** What the operating system of this machine adds to Node's permission model, tried out once. */
export interface Borders {
  /** A PID, network and IPC namespace: the plugin sees no process but its own, and no network device. */
  namespaces: boolean
  /** A user of its own without any rights. Needs root, and folders that others may read. */
  user: boolean
  /** A hard limit of memory by the kernel; without it the gateway looks at what the plugin holds and ends it. */
  memory: boolean
  /** The system ends it with the gateway, however that ends; without it one that does not look at its pipe stays. */
  end: boolean
}

/** `nobody` on Linux, macOS and the BSDs alike. */
const nobody = "65534"
/** What Node.js itself maps for writing before any code runs, measured on Node 26: 550 MiB on 64-bit Linux. */
const baseMiB = 600

const isRoot = process.getuid?.() === 0
const namespaceFlags = [...(isRoot ? [] : ["--user", "--map-current-user"]), "--pid", "--net", "--ipc", "--fork", "--kill-child"]
/** Outermost, since there the parent is the gateway; and with the change of the user, which makes the system forget what `--kill-child` has asked for. */
const endFlags = ["--pdeathsig=KILL"]
const userFlags = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--no-new-privs", ...endFlags]

let known: Promise<Borders> | undefined

export function borders(): Promise<Borders> {
  known ??= look()
  return known
}

async function look(): Promise<Borders> {
  const works = async (command: string, ...args: string[]) =>
    process.platform === "linux" &&
    (await run(command, [...args, "true"], { timeout: 5_000, env: { PATH: process.env.PATH } }).then(
      () => true,
      () => false,
    ))
  const [namespaces, user, memory, end] = await Promise.all([
    works("unshare", ...namespaceFlags),
    isRoot && works("setpriv", ...userFlags),
    works("prlimit", "--data=1000000000"),
    works("setpriv", ...endFlags),
  ])
  return { namespaces, user, memory, end }
}

/** The command and arguments that put `command` behind what holds here. */
export function behind({ namespaces, user, memory, end }: Borders, limits: { memoryMiB: number; readable: readonly string[] }, command: readonly string[]): string[] {
  return [
    ...(end ? ["setpriv", ...endFlags] : []),
    ...(namespaces ? ["unshare", ...namespaceFlags] : []),
    ...(memory ? ["prlimit", `--data=${(baseMiB + limits.memoryMiB) * 1_048_576}`] : []),
    ...(user && limits.readable.every(othersMayRead) ? ["setpriv", ...userFlags] : []),
    ...command,
  ]
}

/** By the rights of the folder and of all above it. */
function othersMayRead(path: string): boolean {
  if ((statSync(path).mode & 0o005) !== 0o005) return false
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
