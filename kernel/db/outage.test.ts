import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isError } from "@plugboard/sdk"
import { asPostgres, freePort, server } from "./administrator.test.ts"
import { acme, allNotes, notesDatabase } from "./notes.test.ts"

const binaries = "/usr/lib/postgresql/15/bin"

if (server && existsSync(join(binaries, "pg_ctl"))) {
  describe("a database server that is stopped", function () {
    this.timeout(60_000)

    it("fails fast as an outage, and serves again by itself", async () => {
      const own = await ownServer()
      const there = await notesDatabase({ databaseUrl: own.url })
      try {
        deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        own.control("stop")
        for (let round = 0; round < 5; round += 1) {
          const startedAt = performance.now()
          await rejects(there.db.tenant("notes", acme).any(allNotes), unavailable)
          ok(performance.now() - startedAt < 3_000)
        }
        equal(await there.db.ping(), false)
        own.control("start")
        deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        equal(await there.db.ping(), true)
        await rejects(there.open({ databaseUrl: own.url.replace(/:\d+\//, ":1/") }), unavailable)
      } finally {
        await there.drop()
        own.remove()
      }
    })
  })
}

function unavailable(error: unknown): boolean {
  return isError(error, "kernel.database_unavailable") && error.failure.retryAfterMs === 1_000
}

/** A server of this test's own, to be stopped and started. */
async function ownServer() {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-server-"))
  const user = asPostgres()
  if (user.uid !== undefined) execFileSync("chown", ["postgres", folder])
  const port = await freePort()
  const data = join(folder, "data")
  const options = { ...user, cwd: folder, stdio: "ignore" } as const
  execFileSync(join(binaries, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], options)
  const control = (what: "start" | "stop") =>
    execFileSync(
      join(binaries, "pg_ctl"),
      ["-D", data, "-w", "-m", "fast", "-l", join(folder, "log"), "-o", `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`, what],
      options,
    )
  control("start")
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    control,
    remove() {
      control("stop")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
