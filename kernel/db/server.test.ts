import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isError, row, sql } from "@plugboard/sdk"
import pg from "pg"
import { Type } from "typebox"
import type { CommittedEvent, Database } from "./database.ts"
import { acme, allNotes, callerOf, globex, insert, kernelSource, type Notes, notesDatabase, sleepFor } from "./notes.test.ts"

const server = process.env.TEST_DATABASE_URL
const binaries = "/usr/lib/postgresql/15/bin"
const pooler = "/usr/sbin/pgbouncer"

// What only a server can do: it can go away, be shared by nodes, and stand behind a pooler.
if (server) {
  describe("a database server", function () {
    this.timeout(60_000)
    let notes: Notes
    const of = (who: typeof acme) => notes.db.tenant("notes", who)

    before(async () => {
      notes = await notesDatabase()
    })
    after(() => notes.drop())

    async function asAdministrator<T>(work: (client: pg.Client) => Promise<T>, url = server): Promise<T> {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        return await work(client)
      } finally {
        await client.end()
      }
    }
    const databaseOf = (url: string | undefined) => new URL(url ?? "").pathname.slice(1)
    const terminateAll = () =>
      asAdministrator((client) =>
        client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", [databaseOf(notes.scratch.databaseUrl)]),
      )
    const unavailable = (error: unknown) => isError(error, "kernel.database_unavailable") && error.failure.retryAfterMs === 1_000

    it("that ends its connections is asked again on new ones", async () => {
      const busy = rejects(of(acme).any(sleepFor(20)), unavailable)
      const inside = of(acme).transaction(async (tx) => {
        await tx.query(insert("never"))
        await tx.any(sleepFor(20))
      })
      const insideEnds = rejects(inside, unavailable)
      await sleep(200)
      await terminateAll()
      await busy
      await insideEnds
      // The other connections of the pool hear of their end a moment later; who is faster is told to come back.
      await sleep(100)
      for (const who of [acme, globex, acme]) deepEqual(await of(who).any(allNotes), [{ text: who === acme ? "of acme" : "of globex" }])
    })

    it("that cancels a statement leaves no binding behind", async () => {
      for (let round = 0; round < 4; round += 1) {
        const cancelled = rejects(of(acme).any(sleepFor(20)), unavailable)
        await sleep(100)
        await asAdministrator((client) =>
          client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()", [
            databaseOf(notes.scratch.databaseUrl),
          ]),
        )
        await cancelled
        deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
      }
    })

    it("cancels a statement past its limit itself", async () => {
      await notes.reopen({ statementTimeoutMs: 300 })
      await rejects(of(acme).any(sleepFor(20)), unavailable)
      const running = await asAdministrator((client) =>
        client.query("SELECT FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()", [
          databaseOf(notes.scratch.databaseUrl),
        ]),
      )
      equal(running.rowCount, 0)
      await notes.reopen()
    })

    it("tells its administrator who is connected, and keeps time in UTC", async () => {
      const Row = row(Type.Object({ name: Type.String(), zone: Type.String() }))
      deepEqual(await of(acme).one(sql.type(Row)`SELECT current_setting('application_name') AS name, current_setting('TimeZone') AS zone`), { name: "plugboard", zone: "UTC" })
    })

    it("may be owned by someone who is no superuser", async () => {
      const owner = `plugboard_owner_${Date.now()}`
      await asAdministrator(async (client) => {
        await client.query(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'secret'`)
        await client.query(`CREATE DATABASE ${owner} OWNER ${owner}`)
      })
      const url = new URL(server)
      url.username = owner
      url.password = "secret"
      url.pathname = `/${owner}`
      const own = await notesDatabase({ databaseUrl: url.href })
      try {
        await own.migrate("0002_filled.sql", "ALTER TABLE notes.notes ADD COLUMN filled boolean;\nUPDATE notes.notes SET filled = true;\n")
        const Filled = row(Type.Object({ filled: Type.Boolean() }))
        for (const who of [acme, globex]) deepEqual(await own.db.tenant("notes", who).any(sql.type(Filled)`SELECT filled FROM notes.notes`), [{ filled: true }])
        deepEqual(await own.db.unbound.any(allNotes), [])
        await own.db.tenant("notes", acme).transaction(async (tx) => {
          tx.publish("notes.changed", {})
          tx.audit({ action: "note.added", entityType: "note", entityId: "1" })
        })
      } finally {
        await own.drop()
        await asAdministrator(async (client) => {
          const { rows } = await client.query<{ oid: number }>("SELECT oid FROM pg_database WHERE datname = $1", [owner])
          await client.query(`DROP DATABASE ${owner} WITH (FORCE)`)
          await client.query(`DROP ROLE plugboard_${rows[0]?.oid}_app, plugboard_${rows[0]?.oid}_kernel, ${owner}`)
        })
      }
    })

    it("takes two nodes that meet on a new database", async () => {
      const name = `plugboard_test_pair_${Date.now()}`
      await asAdministrator((client) => client.query(`CREATE DATABASE ${name}`))
      const url = new URL(server)
      url.pathname = `/${name}`
      const opened: Database[] = []
      try {
        await Promise.all(
          Array.from({ length: 3 }, async () => {
            const db = await notes.open({ databaseUrl: url.href })
            opened.push(db)
            await db.migrate(kernelSource)
          }),
        )
        equal(opened.length, 3)
      } finally {
        await Promise.all(opened.map((db) => db.close()))
        await asAdministrator((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`))
      }
    })

    it("opens a copy of a database with the roles that its policies name", async () => {
      const copy = `plugboard_test_copy_${Date.now()}`
      await notes.db.close()
      await asAdministrator((client) => client.query(`CREATE DATABASE ${copy} TEMPLATE ${databaseOf(notes.scratch.databaseUrl)}`))
      const url = new URL(server)
      url.pathname = `/${copy}`
      const db = await notes.open({ databaseUrl: url.href })
      try {
        deepEqual(await db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        deepEqual(await db.unbound.any(allNotes), [])
      } finally {
        await db.close()
        await asAdministrator((client) => client.query(`DROP DATABASE ${copy} WITH (FORCE)`))
        await notes.reopen()
      }
    })

    describe("shared by two nodes", () => {
      let other: Database
      const heard: CommittedEvent[] = []
      const until = async (done: () => boolean, what: string) => {
        const deadline = performance.now() + 15_000
        while (!done()) {
          if (performance.now() > deadline) throw new Error(`not within 15 s: ${what}`)
          await sleep(10)
        }
      }
      const publish = (id: number) => of(acme).transaction(async (tx) => tx.publish("notes.changed", { id }, { userId: "ana" }))
      const ids = () => heard.map(({ payload }) => (payload as { id: number }).id)

      before(async () => {
        await notes.reopen({ poolSize: 10 })
        other = await notes.open()
        await other.migrate(kernelSource)
        other.onCommitted((event) => heard.push(event))
      })
      after(() => other.close())
      beforeEach(() => {
        heard.length = 0
      })

      it("brings an event of one to the other within a moment, once, and to nobody after a rollback", async () => {
        const startedAt = performance.now()
        await publish(1)
        await until(() => heard.length > 0, "the event")
        ok(performance.now() - startedAt < 1_000)
        deepEqual(heard, [{ plugin: "notes", event: "notes.changed", payload: { id: 1 }, tenantId: acme.tenantId, to: { userId: "ana" } }])
        await rejects(
          of(acme).transaction(async (tx) => {
            tx.publish("notes.changed", { id: 2 })
            throw new Error("roll back")
          }),
        )
        notes.db.announce({ plugin: "notes", event: "notes.said", payload: { id: 3 }, tenantId: globex.tenantId })
        await notes.db.kernel.transaction(async (tx) => tx.publish("kernel.key_revoked", { id: 4 }))
        await until(() => heard.length === 3, "three events")
        deepEqual(heard.slice(1), [
          { plugin: "notes", event: "notes.said", payload: { id: 3 }, tenantId: globex.tenantId, to: undefined },
          { plugin: "kernel", event: "kernel.key_revoked", payload: { id: 4 }, tenantId: "", to: undefined },
        ])
      })

      it("loses and repeats none of many that commit in another order than they began", async () => {
        const slow = of(acme).transaction(async (tx) => {
          tx.publish("notes.changed", { id: 999 })
          // Its row gets its id now, and appears after all the others.
          await of(acme).transaction(async (inner) => inner.publish("notes.changed", { id: 998 }))
          await sleep(1_500)
        })
        await Promise.all(Array.from({ length: 1_500 }, (_, index) => publish(index)))
        await slow
        await until(() => heard.length >= 1_502, "all events")
        await sleep(1_200)
        deepEqual(
          ids().sort((a, b) => a - b),
          [...Array.from({ length: 1_500 }, (_, index) => index), 998, 999].sort((a, b) => a - b),
        )
      })

      it("batches what is announced in a burst", async () => {
        const before = notes.db.statements.count
        for (let id = 0; id < 400; id += 1) notes.db.announce({ plugin: "notes", event: "notes.said", payload: { id }, tenantId: acme.tenantId })
        await until(() => heard.length === 400, "400 events")
        ok(notes.db.statements.count - before < 10)
        deepEqual(
          ids(),
          Array.from({ length: 400 }, (_, index) => index),
        )
      })

      it("catches up with what was told while it was cut off", async () => {
        await terminateAll()
        await publish(7).catch(() => publish(7))
        await until(() => heard.length > 0, "the event")
        deepEqual(ids(), [7])
      })
    })

    if (existsSync(join(binaries, "pg_ctl"))) {
      it("that is stopped fails fast as an outage, and serves again by itself", async () => {
        const own = await ownServer()
        const there = await notesDatabase({ databaseUrl: own.url })
        try {
          deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
          own.control("stop")
          for (let round = 0; round < 5; round += 1) {
            const startedAt = performance.now()
            await rejects(there.db.tenant("notes", acme).any(allNotes), unavailable)
            ok(performance.now() - startedAt < 1_000)
          }
          equal(await there.db.ping(), false)
          own.control("start")
          deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
          equal(await there.db.ping(), true)
          await rejects(notes.open({ databaseUrl: own.url.replace(/:\d+\//, ":1/") }), unavailable)
        } finally {
          await there.drop()
          own.remove()
        }
      })
    }

    if (existsSync(pooler)) {
      it("behind a pooler that hands out connections per transaction keeps tenants apart", async () => {
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
          equal((await of(acme).any(allNotes)).length, 2)
          await rejects(there.tenant("notes", acme).any(sleepFor(20)), unavailable)
          const heard: CommittedEvent[] = []
          there.onCommitted((event) => heard.push(event))
          await of(callerOf(globex.tenantId)).transaction(async (tx) => tx.publish("notes.changed", { id: 2 }))
          await sleep(1_500)
          deepEqual(
            heard.map(({ payload }) => payload),
            [{ id: 2 }],
          )
        } finally {
          await there.close()
          own.stop()
        }
      })
    }
  })
}

const asPostgres = process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {}

function idOf(which: string): number {
  return server ? Number(execFileSync("id", [which, "postgres"])) : 0
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const listening = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listening.address() as { port: number }
      listening.close(() => resolve(port))
    })
  })
}

/** A server of this test's own, to be stopped and started. */
async function ownServer() {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-server-"))
  if (asPostgres.uid !== undefined) execFileSync("chown", ["postgres", folder])
  const port = await freePort()
  const data = join(folder, "data")
  const options = { ...asPostgres, cwd: folder, stdio: "ignore" } as const
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

async function startPooler(target: string) {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-pooler-"))
  const { hostname, port, pathname, username } = new URL(target)
  const listens = await freePort()
  writeFileSync(join(folder, "users"), `"${username}" ""\n`)
  writeFileSync(
    join(folder, "ini"),
    `[databases]\n${pathname.slice(1)} = user=${username} host=${hostname} port=${port || 5432}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${listens}\nunix_socket_dir =\nauth_type = any\nauth_file = ${join(folder, "users")}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n`,
  )
  if (asPostgres.uid !== undefined) execFileSync("chown", ["-R", "postgres", folder])
  const child = spawn(pooler, [join(folder, "ini")], { ...asPostgres, stdio: "ignore" })
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
