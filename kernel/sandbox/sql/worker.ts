import { parentPort } from "node:worker_threads"
import { judgeMigration } from "./definition.ts"
import { parseText, type Statement } from "./parse.ts"
import { changesRows, judgeQuery } from "./query.ts"
import { Refusal } from "./refusal.ts"

export interface Question {
  kind: "statement" | "migration"
  text: string
  schema: string
}

/** What may run, or why nothing of it may. */
export type Verdict = { refused: string } | { texts: string[]; writes: boolean }

if (!parentPort) throw new Error("this file runs as a worker")
const port = parentPort

// Anything but a refusal ends the thread: after a fault inside the parser its memory cannot be trusted.
port.on("message", async (question: Question) => {
  port.postMessage(
    await judge(question).catch((error: unknown): Verdict => {
      if (error instanceof Refusal) return { refused: error.message }
      throw error
    }),
  )
})

async function judge({ kind, text, schema }: Question): Promise<Verdict> {
  const statements = await parseText(text)
  if (kind === "statement") return allowed([judgeQuery(statements, schema)])
  judgeMigration(statements, schema)
  return allowed(statements)
}

function allowed(statements: readonly Statement[]): Verdict {
  return { texts: statements.map((statement) => statement.text), writes: statements.some(changesRows) }
}
