import { deepEqual, equal, rejects } from "node:assert/strict"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isError } from "@plugboard/sdk"
import pg from "pg"
import { asPostgres, freePort, server } from "./administrator.test.ts"
import type { CommittedEvent } from "./database.ts"
import { acme, allNotes, callerOf, globex, insert, kernelSource, notesDatabase, sleepFor } from "./notes.test.ts"

const pooler = "/usr/sbin/pgbouncer"

if (server && existsSync(pooler)) {
  describe("a pooler before a database server", function () {
    this.timeout(60_000)

    it("that hands out connections per transaction keeps tenants apart", async () => {
      const notes = await notesDatabase()
      const own = await startPooler(notes.scratch.databaseUrl as string)
      const there = await notes.open({ databaseUrl: own.url, poolSize: 8, statementTimeoutMs: 2_000 })
      try {
        await there.migrate(kernelSource)
        const seen = await Promise.all(Array.from({ length: 200 }, (_, index) => there.tenant("notes", index % 2 ? acme : globex).any(allNotes)))
        for (const [index, rows] of seen.entries()) deepEqual(rows, [{ text: index % 2 ? "of acme" : "of globex" }])
        deepEqual(await there.unbound.any(allNotes), [])
        await there.tenant("notes", acme).transaction(async (tx) => {
          await tx.query(insert("through the pooler"))
          tx.publish("notes.changed", { id: 1 })
          tx.audit({ action: "note.added", entityType: "note", entityId: "1" })
        })
        equal((await notes.db.tenant("notes", acme).any(allNotes)).length, 2)
        await rejects(there.tenant("notes", acme).any(sleepFor(20)), (error) => isError(error, "kernel.database_unavailable"))
        const heard: CommittedEvent[] = []
        there.onCommitted((event) => heard.push(event))
        await notes.db.tenant("notes", callerOf(globex.tenantId)).transaction(async (tx) => tx.publish("notes.changed", { id: 2 }))
        for (let waited = 0; heard.length === 0 && waited < 15_000; waited += 50) await sleep(50)
        deepEqual(
          heard.map(({ payload }) => payload),
          [{ id: 2 }],
        )
      } finally {
        await there.close()
        own.stop()
        await notes.drop()
      }
    })
  })
}

async function startPooler(target: string) {
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
