import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import { asPostgres, freePort, server } from "./administrator.test.ts"

const pooler = "/usr/sbin/pgbouncer"

/** True where a test may start a pooler. */
export const canStartPooler = Boolean(server) && existsSync(pooler)

/** A pooler before that database, which hands out its connections per transaction, to everybody as the same user. */
export async function startPooler(target: string) {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-pooler-"))
  const { hostname, port, pathname, username } = new URL(target)
  const listens = await freePort()
  writeFileSync(join(folder, "users"), `"${username}" ""\n`)
  writeFileSync(
    join(folder, "ini"),
    `[databases]\n${pathname.slice(1)} = user=${username} host=${hostname} port=${port || 5432}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${listens}\nunix_socket_dir =\nauth_type = any\nauth_file = ${join(folder, "users")}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n`,
  )
  const user = asPostgres()
  if (user.uid !== undefined) execFileSync("chown", ["-R", "postgres", folder])
  const child = spawn(pooler, [join(folder, "ini")], { ...user, stdio: "ignore" })
  const url = `postgres://${username}@127.0.0.1:${listens}${pathname}`
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      break
    } catch (error) {
      if (attempt > 50) throw error
      await sleep(100)
    }
  }
  return {
    url,
    stop() {
      child.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
