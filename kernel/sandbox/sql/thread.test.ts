import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import { gateStatement } from "./statement.ts"
import { judgeIn } from "./thread.ts"

/** As much of a pattern as fits a text. */
function filled(before: string, pattern: string, after = ""): string {
  return before + pattern.repeat(Math.floor((65_536 - before.length - after.length) / pattern.length)) + after
}

async function reasonOf(text: string): Promise<string> {
  const error = await gateStatement(text, "notes").then(
    () => undefined,
    (caught: unknown) => caught,
  )
  return String(failureOf(error)?.params.reason)
}

describe("the thread that judges", function thread() {
  this.timeout(60_000)

  it("refuses a text of more than 64 KiB unread, and reads one of 64 KiB", async () => {
    match(await reasonOf(`SELECT '${"x".repeat(65_536)}'`), /longer than 65536/)
    equal((await gateStatement(filled("SELECT '", "x", "'"), "notes")).writes, false)
    equal((await gateStatement(filled("SELECT id FROM notes.notes WHERE id IN (1", ", 2", ")"), "notes")).writes, false)
    equal((await gateStatement(filled("SELECT id FROM notes.notes WHERE true", " AND id<1"), "notes")).writes, false)
  })

  for (const [what, text] of [
    ["sums", filled("SELECT 1", "+1")],
    ["casts", filled("SELECT a", "::int")],
    ["tests", filled("SELECT a", " ISNULL")],
    ["signs", filled("SELECT ", "- ", "1")],
    ["negations", filled("SELECT ", "NOT ", "true")],
    ["parentheses", `SELECT ${"(".repeat(30_000)}1${")".repeat(30_000)}`],
    ["brackets", `SELECT ARRAY${"[".repeat(30_000)}1${"]".repeat(30_000)}`],
    ["subqueries", `${"SELECT (".repeat(6_000)}SELECT 1${")".repeat(6_000)}`],
    ["unions", filled("SELECT 1", " UNION SELECT 1")],
    ["joins", filled("SELECT FROM notes.a", " CROSS JOIN notes.a")],
    ["calls", `SELECT ${"abs(".repeat(10_000)}1${")".repeat(10_000)}`],
    ["clauses of WITH", `${"WITH a AS (".repeat(4_000)}SELECT 1${") SELECT 1".repeat(1_500)}`],
  ] as const) {
    it(`refuses ${what} without end, and goes on`, async () => {
      match(await reasonOf(text), /nested too deeply|memory exhausted|syntax error|cannot read it/)
      equal((await gateStatement(`SELECT 1 AS ${what.replaceAll(" ", "_")}`, "notes")).writes, false)
    })
  }

  it("keeps apart what is asked at once", async () => {
    const asked = Array.from({ length: 200 }, (_, index) => (index % 2 ? gateStatement(`SELECT ${index}`, "notes") : rejects(gateStatement(`SELECT pg_sleep(${index})`, "notes"))))
    const answers = await Promise.all(asked)
    ok(answers.every((answer, index) => (index % 2 ? answer?.text === `SELECT ${index}` : answer === undefined)))
  })

  it("lets timers run while it reads", async () => {
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 5)
    await Promise.all(Array.from({ length: 10 }, (_, index) => gateStatement(filled(`SELECT ${index}`, ", 1"), "notes")))
    clearInterval(timer)
    ok(ticks >= 10, `${ticks} ticks`)
  })

  it("lets a plugin that sends long texts hold up none but itself", async () => {
    let judged = 0
    const loud = Array.from({ length: 20 }, (_, index) =>
      gateStatement(filled(`SELECT -${index}`, ", 1"), "loud").then(() => {
        judged += 1
      }),
    )
    await gateStatement("SELECT 'quiet'", "quiet")
    ok(judged <= 2, `${judged} before it`)
    await Promise.all(loud)
  })

  it("judges by the schema that is asked for, also when it has judged the text before", async () => {
    await gateStatement("SELECT id FROM notes.notes", "notes")
    match(await reasonOf("SELECT id FROM other.notes"), /outside/)
    await gateStatement("SELECT id FROM other.notes", "other")
    await rejects(gateStatement("SELECT id FROM notes.notes", "other"))
  })

  it("fails for the text that ends it, and goes on with the others in another thread", async () => {
    // Stands in for a parser that dies of one text; the real one does of none that is known.
    const mortal = `import { parentPort } from "node:worker_threads"
      parentPort.on("message", ({ text }) => {
        if (text === "die") throw new Error("dead")
        if (text === "leave") process.exit(0)
        parentPort.postMessage({ texts: [text], writes: false })
      })`
    const judge = judgeIn(new URL(`data:text/javascript,${encodeURIComponent(mortal)}`))
    const asked = ["one", "die", "two", "leave", "die", "three"].map((text) => judge({ kind: "statement", text, schema: "notes" }))
    const outcomes = (await Promise.allSettled(asked)).map((outcome) => (outcome.status === "fulfilled" ? outcome.value : (outcome.reason as Error).message))
    const ended = "the thread that judges SQL ended"
    const done = (text: string) => ({ texts: [text], writes: false })
    deepEqual(outcomes, [done("one"), ended, done("two"), ended, ended, done("three")])
  })
})
