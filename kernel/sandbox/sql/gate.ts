import { fail } from "../../failures.ts"
import { judge } from "./thread.ts"
import type { Question, Verdict } from "./worker.ts"

/** UTF-16 units of one text. */
const longest = 65_536

/** Schemas that no plugin has, whatever its id is. */
const reserved = /^(pg_.*|pgboss|information_schema|public|kernel)$/

/** What of a text may run; rejects with `kernel.sql_refused` when it may not. */
export async function gate(question: Question): Promise<Exclude<Verdict, { refused: string }>> {
  if (!/^[a-z][a-z0-9_]*$/.test(question.schema) || reserved.test(question.schema))
    throw fail("sql_refused", { reason: `${question.schema} is no schema of a plugin; choose another id` })
  if (question.text.length > longest) throw fail("sql_refused", { reason: `it is longer than ${longest} characters; split it, and pass values as parameters` })
  const verdict = await judge(question)
  if ("refused" in verdict) throw fail("sql_refused", { reason: verdict.refused })
  return verdict
}
