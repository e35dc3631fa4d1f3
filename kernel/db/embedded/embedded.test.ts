import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isError, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { kernelMigrations } from "../../plugins/discover.ts"
import { kernelGlobals } from "../kernel-tables.ts"
import { acme, allNotes, globex, insert, type Notes, notesDatabase } from "../notes.test.ts"
import { openDatabase } from "../open.ts"
import { makeFolder } from "./folder.ts"
import { FolderHeld, lockFolder } from "./lock.ts"
import { templatePath } from "./template.ts"
import { startThread } from "./thread.ts"

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

describe("the lock of a data folder", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "plugboard-lock-"))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const path = () => join(folder, "gateway.lock")
  /** Another process that takes the lock and holds it. */
  async function holder(): Promise<ChildProcess> {
    const code = `import { lockFolder } from ${JSON.stringify(join(import.meta.dirname, "lock.ts"))}; try { lockFolder(${JSON.stringify(folder)}); console.log("held") } catch (error) { console.log("refused") } setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], { stdio: ["ignore", "pipe", "inherit"] })
    const [said] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer]
    child.stdin = null
    return Object.assign(child, { said: said.toString().trim() })
  }

  it("refuses a second one, and says who has it", () => {
    const unlock = lockFolder(folder)
    throws(() => lockFolder(folder), new RegExp(`in use by process ${process.pid}\\.`))
    unlock()
    lockFolder(folder)()
    equal(existsSync(path()), false)
  })

  it("is refused to another process, and taken over from one that was killed", async () => {
    const child = await holder()
    throws(() => lockFolder(folder), new RegExp(`process ${child.pid}\\b`))
    child.kill("SIGKILL")
    await once(child, "exit")
    lockFolder(folder)()
  })

  it("goes to one of several that find it abandoned at the same time", async () => {
    writeFileSync(path(), JSON.stringify({ pid: 999_999_999, started: "1", host: (await import("node:os")).hostname() }))
    const children = await Promise.all(Array.from({ length: 4 }, holder))
    try {
      equal(children.filter((child) => (child as unknown as { said: string }).said === "held").length, 1)
    } finally {
      for (const child of children) child.kill("SIGKILL")
    }
  })

  it("is taken over when it was cut off while it was written, or its number belongs to another program now", () => {
    writeFileSync(path(), "{")
    lockFolder(folder)()
    writeFileSync(path(), JSON.stringify({ ...JSON.parse(held(folder)), started: "12" }))
    lockFolder(folder)()
  })

  it("of another machine counts while its file is touched", () => {
    writeFileSync(path(), JSON.stringify({ pid: 7, started: "12", host: "elsewhere" }))
    throws(() => lockFolder(folder), FolderHeld)
    throws(() => lockFolder(folder), /process 7 on elsewhere/)
    const long = new Date(Date.now() - 60_000)
    utimesSync(path(), long, long)
    lockFolder(folder)()
  })

  function held(of: string): string {
    const unlock = lockFolder(of)
    const text = readFileSync(path(), "utf8")
    unlock()
    return text
  }
})

describe("the folder of the embedded database", function () {
  this.timeout(120_000)
  let parent: string
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "plugboard-folder-"))
  })
  afterEach(() => rmSync(parent, { recursive: true, force: true }))

  it("comes from the template, whole or not at all", async () => {
    // npm install does that, where it may run scripts.
    if (templatePath(true) === templatePath(false))
      execFileSync(process.execPath, ["--conditions=plugboard-source", join(import.meta.dirname, "..", "..", "..", ".ci", "build-template.ts")])
    const folder = join(parent, "db")
    mkdirSync(`${folder}.part`)
    writeFileSync(join(`${folder}.part`, "PG_VERSION"), "of a start that was cut off")
    await makeFolder(folder, templatePath(false))
    // initdb would have made three databases.
    equal(readdirSync(join(folder, "base")).length, 1)
    deepEqual(readdirSync(parent), ["db"])
    equal(statSync(folder).mode & 0o777, 0o700)
    match(readFileSync(join(folder, "PG_VERSION"), "utf8"), /^\d+\n$/)
    const before = statSync(join(folder, "PG_VERSION")).mtimeMs
    await makeFolder(folder, templatePath(false))
    equal(statSync(join(folder, "PG_VERSION")).mtimeMs, before)
  })

  it("has all tables at once, and no secret of the template that it comes from", async () => {
    const words: string[] = []
    for (const name of ["one", "another"]) {
      const dataDir = join(parent, name)
      mkdirSync(dataDir)
      const db = await openDatabase({ config: { databaseUrl: undefined, dataDir, poolSize: 1, statementTimeoutMs: 30_000 }, log: silent as never, checkRows: false, whole: true })
      const { applied } = await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
      deepEqual(applied, ["0010_fresh.sql"])
      const { rows } = await db.executeSql("SELECT word, created_at > now() - interval '1 minute' AS fresh FROM _sandbox.word, kernel.tenants")
      const [{ word, fresh }] = rows as [{ word: string; fresh: boolean }]
      match(word, /^w[0-9a-f]{64}$/)
      equal(fresh, true)
      words.push(word)
      await db.close()
    }
    equal(new Set(words).size, 2)
  })
})

if (!process.env.TEST_DATABASE_URL) {
  describe("the embedded database", function () {
    this.timeout(120_000)
    let notes: Notes
    before(async () => {
      notes = await notesDatabase()
    })
    after(() => notes.drop())

    it("refuses a second gateway on its folder", async () => {
      await rejects(notes.open(), /in use by process \d+\. Stop that gateway, set PLUGBOARD_DATA_DIR .* or set DATABASE_URL/)
    })

    it("brings what extensions a plugin may need", async () => {
      await notes.migrate(
        "0002_extensions.sql",
        "CREATE EXTENSION vector; CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent; CREATE TABLE notes.v (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), at vector(2)); SELECT kernel.protect('notes.v')",
      )
      await notes.db.tenant("notes", acme).query(sql.type(row(Type.Object({})))`INSERT INTO notes.v (at) VALUES (${"[1,2]"})`)
      const Row = row(Type.Object({ at: Type.String(), far: Type.Number(), plain: Type.String() }))
      deepEqual(await notes.db.tenant("notes", acme).any(sql.type(Row)`SELECT at, at <-> '[1,1]' AS far, public.unaccent('é') AS plain FROM notes.v`), [
        { at: "[1,2]", far: 1, plain: "e" },
      ])
    })

    it("takes large values and rows, in both directions", async () => {
      const long = "ä".repeat(3_000_000)
      const Row = row(Type.Object({ length: Type.Integer(), text: Type.String() }))
      const made = await notes.db.tenant("notes", acme).one(sql.type(Row)`SELECT length(${long}) AS length, ${long} AS text`)
      equal(made.length, 3_000_000)
      equal(made.text, long)
      const Numbers = row(Type.Object({ n: Type.Integer() }))
      equal((await notes.db.tenant("notes", acme).any(sql.type(Numbers)`SELECT n FROM generate_series(1, 50000) n`)).length, 50_000)
    })

    it("has all that was acknowledged after the process was killed", async () => {
      const script = join(notes.scratch.dataDir, "killed.ts")
      writeFileSync(
        script,
        `import { notesDatabase, acme, insert } from ${JSON.stringify(join(import.meta.dirname, "..", "notes.test.ts"))}
         const notes = await notesDatabase()
         console.log(notes.scratch.dataDir)
         for (let n = 0; ; n += 1) {
           await notes.db.tenant("notes", acme).query(insert("note " + n))
           console.log(n)
         }`,
      )
      const child = spawn(process.execPath, ["--conditions=plugboard-source", script], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, TMPDIR: notes.scratch.dataDir },
      })
      let said = ""
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk
      })
      while (said.split("\n").length < 200) {
        equal(child.exitCode, null)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      child.kill("SIGKILL")
      await once(child, "exit")
      const [folder, ...acknowledged] = said.trimEnd().split("\n") as [string, ...string[]]
      // The last line may have been cut.
      const last = Number(acknowledged.at(-2))
      const { openDatabase } = await import("../open.ts")
      const db = await openDatabase({ config: { databaseUrl: undefined, dataDir: folder, poolSize: 1, statementTimeoutMs: 10_000 }, log: silent as never, checkRows: true })
      try {
        const Count = row(Type.Object({ count: Type.Integer() }))
        const { count } = await db.tenant("notes", acme).one(sql.type(Count)`SELECT count(*) AS count FROM notes.notes WHERE text LIKE 'note %'`)
        ok(count >= last + 1, `${count} of ${last + 1}`)
      } finally {
        await db.close()
      }
    })

    it("opens again when its thread ends, and fails what was under way as an outage", async () => {
      for (let round = 0; round < 3; round += 1) {
        await notes.reopen({ statementTimeoutMs: 1_000 })
        const outcomes = await Promise.allSettled([
          notes.db.tenant("notes", acme).any(sql.type(row(Type.Object({})))`SELECT count(*) FROM generate_series(1, 60000) a, generate_series(1, 60000) b`),
          ...Array.from({ length: 20 }, () => notes.db.tenant("notes", globex).any(allNotes)),
        ])
        ok(outcomes[0]?.status === "rejected" && isError(outcomes[0].reason, "kernel.database_unavailable"))
        for (const outcome of outcomes.slice(1)) {
          if (outcome.status === "rejected") ok(isError(outcome.reason, "kernel.database_unavailable"))
          else deepEqual(outcome.value, [{ text: "of globex" }])
        }
        await notes.db.tenant("notes", acme).query(insert(`round ${round}`))
      }
    })

    it("is refused when its folder holds something else", async () => {
      const folder = mkdtempSync(join(tmpdir(), "plugboard-odd-"))
      try {
        mkdirSync(join(folder, "db"))
        writeFileSync(join(folder, "db", "PG_VERSION"), "9.6\n")
        await rejects(startThread(join(folder, "db"), undefined, silent as never))
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })
}
