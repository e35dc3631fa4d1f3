import { isError } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { gate } from "./gate.ts"

/** A statement that may run. */
export interface GatedStatement {
  /** The one statement, without a semicolon. This is what was judged, so this is what has to be run. */
  readonly text: string
  /** Whether it may change rows. */
  readonly writes: boolean
}

const known = new LRUCache<string, Promise<GatedStatement>>({ max: 2_000, maxSize: 4_000_000, sizeCalculation: (_, key) => key.length })

/**
 * The statement in `text` for a sandboxed plugin whose tables are in `schema`; rejects with `kernel.sql_refused` when it may not run. Verdicts are kept by text, refusals too.
 * Strings are read as PostgreSQL does with `standard_conforming_strings` on, which the driver sees to. How much memory and time a statement takes is for the database to limit.
 * @example const { text } = await gateStatement("TABLE glossary.terms;", "glossary") // TABLE glossary.terms
 */
export function gateStatement(text: string, schema: string): Promise<GatedStatement> {
  const key = `${schema} ${text}`
  const kept = known.get(key)
  if (kept) return kept
  const made = gate({ kind: "statement", text, schema }).then(({ texts, writes }) => ({ text: texts[0] as string, writes }))
  known.set(key, made)
  // A refusal is as lasting as its text; that the gate could not judge is not.
  made.catch((error: unknown) => !isError(error, "kernel.sql_refused") && known.delete(key))
  return made
}
