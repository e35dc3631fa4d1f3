import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import { isError, row, sql } from "@plugboard/sdk"
import { UniqueIntegrityConstraintViolationError } from "slonik"
import { Type } from "typebox"
import { acme, allNotes, endless, globex, insert, type Notes, Nothing, notesDatabase } from "./notes.test.ts"

describe("the database", function () {
  this.timeout(120_000)
  let notes: Notes
  const of = (who: typeof acme) => notes.db.tenant("notes", who)

  before(async () => {
    notes = await notesDatabase()
  })
  after(() => notes.drop())

  it("shows a tenant its own rows, with no WHERE in the text", async () => {
    deepEqual(await of(acme).any(allNotes), [{ text: "of acme" }])
    deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
  })

  it("shows nothing while no tenant is bound, and takes nothing", async () => {
    deepEqual(await notes.db.unbound.any(allNotes), [])
    await rejects(notes.db.unbound.query(insert("of nobody")))
  })

  it("refuses a row of another tenant", async () => {
    await rejects(of(acme).query(sql.type(Nothing)`INSERT INTO notes.notes (tenant_id, text) VALUES (${globex.tenantId}, 'smuggled')`), /row-level security/)
    await rejects(of(acme).query(sql.type(Nothing)`UPDATE notes.notes SET tenant_id = ${globex.tenantId}`), /row-level security/)
  })

  it("keeps tenants apart when their queries interleave", async () => {
    for (let round = 0; round < 10; round += 1) {
      const seen = await Promise.all(Array.from({ length: 40 }, (_, index) => of(index % 2 ? acme : globex).any(allNotes)))
      for (const [index, rows] of seen.entries()) deepEqual(rows, [{ text: index % 2 ? "of acme" : "of globex" }])
    }
  })

  it("keeps tenants apart when some of their queries fail and some roll back", async () => {
    const ask = async (index: number) => {
      const [who, expected] = index % 2 ? ([acme, "of acme"] as const) : ([globex, "of globex"] as const)
      if (index % 3 === 0) await rejects(of(who).query(sql.type(Nothing)`SELECT 1 / 0`), /division/)
      if (index % 5 === 0)
        await rejects(
          of(who).transaction(async (tx) => {
            deepEqual(await tx.any(allNotes), [{ text: expected }])
            throw new Error("changed my mind")
          }),
          /changed my mind/,
        )
      deepEqual(await of(who).any(allNotes), [{ text: expected }])
    }
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 30 }, (_, index) => ask(index)))
  })

  it("binds anew after a query that failed, and keeps the connection", async () => {
    const pid = sql.type(row(Type.Object({ pid: Type.Integer() })))`SELECT pg_backend_pid() AS pid`
    const before = new Set((await Promise.all(Array.from({ length: 12 }, () => of(acme).one(pid)))).map((found) => found.pid))
    for (let round = 0; round < 10; round += 1) {
      await rejects(of(acme).query(insert("of acme")), UniqueIntegrityConstraintViolationError)
      deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
    }
    const after = await Promise.all(Array.from({ length: 12 }, () => of(acme).one(pid)))
    ok(after.every((found) => before.has(found.pid)))
  })

  it("tells a violated constraint by slonik's class and name, the same on both databases", async () => {
    const error = await of(acme)
      .query(insert("of acme"))
      .catch((caught: unknown) => caught)
    ok(error instanceof UniqueIntegrityConstraintViolationError)
    equal(error.constraint, "notes_text_key")
  })

  it("takes one statement a text", async () => {
    await rejects(of(acme).query(sql.type(Nothing)`SELECT 1; SELECT 2`), /multiple commands/)
  })

  it("keeps the kernel's tables from plugins", async () => {
    for (const table of ["tenants", "members", "api_keys", "pairings", "plugins", "packages", "consents", "outbox", "migrations"])
      await rejects(of(acme).any(sql.type(Nothing)`SELECT * FROM ${sql.identifier(["kernel", table])}`), /permission denied/)
  })

  it("lets no plugin write another tenant's event or audit entry", async () => {
    await rejects(
      of(acme).query(sql.type(Nothing)`INSERT INTO kernel.outbox (node, plugin, event, tenant_id, payload) VALUES ('n', 'notes', 'e', ${globex.tenantId}, '{}')`),
      /row-level security/,
    )
    await rejects(
      of(acme).query(sql.type(Nothing)`INSERT INTO kernel.activity (id, tenant_id, actor_id, action, plugin) VALUES (gen_random_uuid(), ${globex.tenantId}, 'a', 'b', 'notes')`),
      /row-level security/,
    )
  })

  it("lets nobody change the audit log", async () => {
    await rejects(of(acme).query(sql.type(Nothing)`DELETE FROM kernel.activity`), /permission denied/)
    await rejects(notes.db.kernel.query(sql.type(Nothing)`UPDATE kernel.activity SET action = 'other'`), /permission denied/)
  })

  it("gives values the same types on both databases", async () => {
    const Row = row(Type.Object({}, { additionalProperties: true }))
    const made = await of(acme).one(sql.type(Row)`
      SELECT '2026-03-24T10:00:00.5+02:00'::timestamptz AS at, '2026-03-24T10:00:00.123999+02:00'::timestamptz AS micro, '2026-03-24 10:00:00Z'::timestamptz AS whole,
        'infinity'::timestamptz AS never, ARRAY['2026-03-24T10:00:00Z'::timestamptz, NULL] AS times, '2026-03-24'::date AS day, '2026-03-24 10:00:00'::timestamp AS local,
        7::int2 AS small, 12345678901::int8 AS big, ARRAY[1::int8, 2] AS bigs, 1.25::numeric AS money, 2.5::float8 AS float, true AS yes, NULL::text AS none,
        '{"a":[1,null]}'::jsonb AS doc, '{"b":2}'::json AS doc2, ARRAY['x', 'y,"z'] AS texts, ARRAY[1, 2] AS ints, '\\x00ff'::bytea AS bytes,
        '0193a5b0-7000-7000-8000-00000000000a'::uuid AS id, '10.0.0.1'::inet AS address, interval '1 day' > interval '1 hour' AS longer`)
    deepEqual(made, {
      at: "2026-03-24T08:00:00.500Z",
      micro: "2026-03-24T08:00:00.123Z",
      whole: "2026-03-24T10:00:00.000Z",
      never: "infinity",
      times: ["2026-03-24T10:00:00.000Z", null],
      day: "2026-03-24",
      local: "2026-03-24 10:00:00",
      small: 7,
      big: 12_345_678_901,
      bigs: [1, 2],
      money: 1.25,
      float: 2.5,
      yes: true,
      none: null,
      doc: { a: [1, null] },
      doc2: { b: 2 },
      texts: ["x", 'y,"z'],
      ints: [1, 2],
      bytes: Buffer.from([0, 255]),
      id: acme.tenantId,
      address: "10.0.0.1",
      longer: true,
    })
  })

  it("takes values of every kind, the same on both databases", async () => {
    const Row = row(Type.Object({}, { additionalProperties: true }))
    const made = await of(acme).one(sql.type(Row)`
      SELECT ${"text"}::text AS text, ${3}::int8 AS big, ${1.5}::numeric AS money, ${true}::boolean AS yes, ${null}::text AS none, ${sql.json({ a: [1] })} AS doc,
        ${sql.array(["a", "b"], "text")} AS texts, ${sql.array([1, 2], "int8")} AS bigs, ${sql.binary(Buffer.from([1, 2]))}::bytea AS bytes, ${"2026-03-24T10:00:00Z"}::timestamptz AS at`)
    deepEqual(made, {
      text: "text",
      big: 3,
      money: 1.5,
      yes: true,
      none: null,
      doc: { a: [1] },
      texts: ["a", "b"],
      bigs: [1, 2],
      bytes: Buffer.from([1, 2]),
      at: "2026-03-24T10:00:00.000Z",
    })
  })

  it("counts the rows that a write has touched", async () => {
    equal((await of(acme).query(sql.type(Nothing)`UPDATE notes.notes SET text = text`)).rowCount, 1)
    equal((await of(acme).query(sql.type(Nothing)`WITH touched AS (UPDATE notes.notes SET text = text RETURNING 1) SELECT FROM touched`)).rowCount, 1)
    equal((await of(acme).query(sql.type(Nothing)`DELETE FROM notes.notes WHERE text = 'nowhere'`)).rowCount, 0)
  })

  it("sends one statement for a query of the tenant that is bound already, and one more for another's", async () => {
    await notes.reopen({ poolSize: 1 })
    await of(acme).any(allNotes)
    const before = notes.db.statements.count
    await of(acme).any(allNotes)
    equal(notes.db.statements.count - before, 1)
    await of(globex).any(allNotes)
    equal(notes.db.statements.count - before, 3)
  })

  it("prepares a text anew when a migration has changed its table", async () => {
    const everything = sql.type(row(Type.Object({}, { additionalProperties: true })))`SELECT * FROM notes.notes`
    deepEqual(Object.keys(await of(acme).one(everything)), ["tenant_id", "text"])
    await notes.migrate("0002_more.sql", "ALTER TABLE notes.notes ADD COLUMN more text")
    deepEqual(Object.keys(await of(acme).one(everything)), ["tenant_id", "text", "more"])
  })

  it("says that a text with a NUL character is the client's fault", async () => {
    await rejects(of(acme).query(insert("a\u0000b")), (error) => isError(error, "kernel.invalid_request"))
  })

  it("bounds who waits for a connection, and serves on", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 5_000 }, () => of(acme).any(sql.type(Nothing)`SELECT 1`)))
    const refused = outcomes.filter((outcome) => outcome.status === "rejected")
    ok(refused.length > 0)
    for (const outcome of refused) ok(isError(outcome.reason, "kernel.database_unavailable") && outcome.reason.failure.retryAfterMs === 1_000)
    equal(await notes.db.ping(), true)
  })

  it("does not run what it has given up, when no connection comes free", async () => {
    await notes.reopen({ poolSize: 1, statementTimeoutMs: 20_000 })
    let release = () => {}
    const holding = of(acme).transaction(() => new Promise<void>((resolve) => (release = resolve)))
    await rejects(of(globex).query(insert("too late")), (error) => isError(error, "kernel.database_unavailable"))
    equal(await notes.db.ping(), false)
    release()
    await holding
    deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
    equal(await notes.db.ping(), true)
  })

  it("ends a statement past its limit as an outage, and serves on with all that was stored", async () => {
    await of(acme).query(insert("stored before"))
    await notes.reopen({ statementTimeoutMs: 2_000 })
    await rejects(of(acme).any(endless), (error) => isError(error, "kernel.database_unavailable") && error.failure.retryAfterMs === 1_000)
    deepEqual(await of(globex).any(allNotes), [{ text: "of globex" }])
    deepEqual(await of(acme).any(allNotes), [{ text: "of acme" }, { text: "stored before" }])
  })

  it("lets a migration take longer than that", async () => {
    await notes.migrate("0003_slow.sql", "SELECT pg_sleep(2.5)")
  })

  it("takes a connection back from a script that failed in a transaction of its own", async () => {
    // One for each connection of the pool, and one more.
    for (let round = 0; round < 5; round += 1) await rejects(notes.db.executeSql("BEGIN; SELECT 1 / 0; COMMIT"), /division by zero/)
    for (let round = 0; round < 5; round += 1) equal((await of(globex).any(allNotes)).length, 1)
  })

  it("rolls back a transaction in which a statement went past its limit", async () => {
    await rejects(
      of(acme).transaction(async (tx) => {
        await tx.query(insert("lost"))
        await tx.any(endless)
      }),
      (error) => isError(error, "kernel.database_unavailable"),
    )
    // The embedded one starts again meanwhile, which may take longer than anybody waits for a connection.
    let stored: readonly { text: string }[] | undefined
    while (!stored)
      stored = await of(acme)
        .any(allNotes)
        .catch((error: unknown) => (isError(error, "kernel.database_unavailable") ? undefined : Promise.reject(error)))
    equal(
      stored.some(({ text }) => text === "lost"),
      false,
    )
  })

  it("closes twice without complaint, and tells who asks later", async () => {
    await notes.db.close()
    await notes.db.close()
    await rejects(of(acme).any(allNotes), (error) => isError(error, "kernel.database_unavailable"))
    equal(await notes.db.ping(), false)
  })
})
