import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"

/** Prints what a process behind the borders of this machine can do, before its runtime takes anything away from it. Its arguments: the gateway's process id, and a file that is not its own. */
const [gateway = "0", file = ""] = process.argv.slice(2)

const can = (what: () => unknown): boolean => {
  try {
    what()
    return true
  } catch {
    return false
  }
}

const listens = await new Promise<boolean>((resolve) => {
  // The refusal is thrown later, where nobody can catch it.
  process.once("uncaughtException", () => resolve(false))
  createServer()
    .once("error", () => resolve(false))
    .listen(0, "127.0.0.1", () => resolve(true))
})
const found = {
  files: can(() => readFileSync(file)),
  processes: can(() => spawnSync(process.execPath, ["--version"])),
  network: listens,
  signals: process.pid !== 1 && can(() => process.kill(Number(gateway), 0)),
  user: process.getuid?.() ?? -1,
}
process.stdout.write(JSON.stringify(found), () => process.exit(0))
