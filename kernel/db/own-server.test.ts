import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { asPostgres, freePort, server } from "./administrator.test.ts"

const binaries = "/usr/lib/postgresql/15/bin"

/** True where a test may start a server of its own. */
export const canStartServer = Boolean(server) && existsSync(join(binaries, "pg_ctl"))

/** A server of a test's own, to be stopped, started and told whom to let in. */
export async function ownServer() {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-server-"))
  const user = asPostgres()
  if (user.uid !== undefined) execFileSync("chown", ["postgres", folder])
  const port = await freePort()
  const data = join(folder, "data")
  const log = join(folder, "log")
  const options = { ...user, cwd: folder, stdio: "ignore" } as const
  execFileSync(join(binaries, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], options)
  const control = (what: "start" | "stop" | "reload") =>
    execFileSync(
      join(binaries, "pg_ctl"),
      what === "reload"
        ? ["-D", data, what]
        : ["-D", data, "-w", "-m", "fast", "-l", log, "-o", `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`, what],
      options,
    )
  control("start")
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    control,
    /** Lines of pg_hba.conf, in place of those that let everybody in. They hold once the server has read them. */
    letIn(...lines: string[]) {
      writeFileSync(join(data, "pg_hba.conf"), `${lines.join("\n")}\n`)
      control("reload")
    },
    log: () => readFileSync(log, "utf8"),
    remove() {
      control("stop")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
