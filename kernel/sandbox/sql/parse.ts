import type { ParseResult } from "libpg-query"
import { Refusal } from "./refusal.ts"
import type { Fields } from "./walk.ts"

/** One statement: what kind it is, its tree, and its part of the text without the semicolon. */
export interface Statement {
  readonly type: string
  readonly fields: Fields
  readonly text: string
}

/** The statements of a text, as PostgreSQL's own parser reads them. What that parser does not know is refused, also when a newer server would understand it. */
export async function parseText(text: string): Promise<Statement[]> {
  // The protocol and the parser both end a text at NUL; what stands behind it would be judged by nobody.
  if (text.includes("\0") || !text.isWellFormed()) throw new Refusal("the text holds a NUL or half a character; pass such values as parameters")
  const { parse, SqlError } = await import("libpg-query")
  if (text.trim() === "") return []
  let parsed: ParseResult
  try {
    parsed = await parse(text)
  } catch (error) {
    if (error instanceof SqlError) throw new Refusal(`${error.message}; only what the parser of PostgreSQL 18 reads can be judged`)
    throw error
  }
  const bytes = Buffer.from(text)
  return (parsed.stmts ?? []).map(({ stmt, stmt_location = 0, stmt_len = 0 }) => {
    const [type, fields] = Object.entries(stmt ?? {})[0] as [string, Fields]
    // Places count bytes; a length of 0 reaches to the end.
    return {
      type,
      fields,
      text: bytes
        .subarray(stmt_location, stmt_len === 0 ? undefined : stmt_location + stmt_len)
        .toString()
        .trim(),
    }
  })
}
