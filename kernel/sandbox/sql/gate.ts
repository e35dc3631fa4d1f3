import { fail } from "../../failures.ts"
import { judgeIn } from "./thread.ts"
import type { Question, Verdict } from "./worker.ts"

const judge = judgeIn(new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url))

/** UTF-16 units of one text. */
const longest = 65_536

/** Schemas that no plugin has, whatever its id is. */
const reserved = /^(pg_.*|pgboss|information_schema|public|kernel)$/

/** What of a text may run; rejects with `kernel.sql_refused` when it may not, and with `kernel.unavailable` when it could not be judged. */
export async function gate(question: Question): Promise<Exclude<Verdict, { refused: string }>> {
  const { text, schema } = question
  if (!/^[a-z][a-z0-9_]*$/.test(schema) || reserved.test(schema)) throw fail("sql_refused", { reason: `${schema} is no schema of a plugin; choose another id` })
  if (text.length > longest) throw fail("sql_refused", { reason: `it is longer than ${longest} characters; split it, and pass values as parameters` })
  const verdict = await judge(question).catch((error: unknown) => {
    throw fail("unavailable", {}, { cause: error })
  })
  if ("refused" in verdict) throw fail("sql_refused", { reason: verdict.refused })
  return verdict
}
